"""Quarantine: what cannot be read is set aside under ``data/quarantine``, named, and never deleted in silence."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from nightschool.store.durable import make_folder, new_file, sync_folder
from nightschool.store.manifest import Manifest, Segment, TableName, publish

FOLDER = "quarantine"

log = logging.getLogger("nightschool.store")


def list_quarantine(folder: Path) -> list[Path]:
    """Files that were set aside, by name."""
    return sorted(path for path in (folder / FOLDER).glob("*") if path.is_file())


def keep_rest(folder: Path, damaged: Path, begin: int, reason: str) -> Path:
    """Copy what ``damaged`` holds from byte ``begin`` on into quarantine; doing it twice leaves one copy."""
    target = folder / FOLDER / damaged.name
    with damaged.open("rb") as source, new_file(target) as copy:
        source.seek(begin)
        shutil.copyfileobj(source, copy)
    log.error("log_damaged log=%s reason=%r kept=%s; the rest of it was read", damaged.name, reason, target)
    return target


def set_aside(folder: Path, table: TableName, segment: Segment, reason: str) -> Path:
    """Take a segment that cannot be read out of the store, and keep its file in quarantine."""
    target = folder / FOLDER / segment.path.replace("/", "_")
    make_folder(target.parent)
    publish(folder, lambda manifest: _without(manifest, table, segment))
    source = folder / segment.path
    if source.exists():
        source.replace(target)
        sync_folder(target.parent)
    log.error("segment_damaged segment=%s rows=%d reason=%r kept=%s", segment.path, segment.rows, reason, target)
    return target


def _without(manifest: Manifest, table: TableName, segment: Segment) -> Manifest:
    left = tuple(kept for kept in manifest.segments(table) if kept.path != segment.path)
    return manifest.with_table(table, left)
