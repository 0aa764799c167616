"""Files that the store has done with, or never began to use, leave the disk here."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from nightschool.store.durable import UNFINISHED
from nightschool.store.log import FOLDER as LOGS
from nightschool.store.manifest import TABLES, Manifest, Segment, TableName, publish, read_manifest

GRACE_S = 600.0
"""A reader that holds an older manifest has so long to finish."""
ORPHANED_AFTER_S = 3600.0
"""A file that no manifest names may be about to be published; not for so long, though."""

_OURS = re.compile(rf"\d{{8}}T\d{{6}}-[0-9a-f]{{8}}\.parquet({re.escape(UNFINISHED)})?")


def sweep(folder: Path, *, grace_s: float = GRACE_S) -> int:
    """Delete superseded files older than ``grace_s``, and orphans; returns how many files went."""
    return _sweep_garbage(folder, grace_s) + _sweep_orphans(folder)


def discard(folder: Path, table: TableName, segments: Collection[Segment]) -> None:
    """Delete segments that were written but, for whatever reason, not published."""
    published = {segment.path for segment in read_manifest(folder).segments(table)}
    for segment in segments:
        if segment.path not in published:
            _delete(folder / segment.path)


def _sweep_garbage(folder: Path, grace_s: float) -> int:
    due_us = time.time_ns() // 1000 - int(grace_s * 1e6)
    due = {garbage.path for garbage in read_manifest(folder).garbage if garbage.since_us <= due_us}
    for path in due:
        _delete(folder / path)
    if due:
        publish(folder, lambda manifest: _forgetting(manifest, due))
    return len(due)


def _forgetting(manifest: Manifest, paths: Collection[str]) -> Manifest:
    left = tuple(garbage for garbage in manifest.garbage if garbage.path not in paths)
    return msgspec.structs.replace(manifest, garbage=left)


def _sweep_orphans(folder: Path) -> int:
    before = time.time() - ORPHANED_AFTER_S
    old = [path for path in _own_files(folder) if _modified(path) < before]
    if not old:
        return 0
    manifest = read_manifest(folder)  # after the listing: what has been published meanwhile is in it
    used = {segment.path for table in TABLES for segment in manifest.segments(table)}
    used |= {garbage.path for garbage in manifest.garbage}
    orphans = [path for path in old if path.relative_to(folder).as_posix() not in used]
    for path in orphans:
        _delete(path)
    return len(orphans)


def _own_files(folder: Path) -> Iterator[Path]:
    """Files that only this store can have made; a user's own files are never touched."""
    for table in TABLES:
        yield from (path for path in (folder / table).glob("date=*/**/*") if _OURS.fullmatch(path.name))
    yield from (folder / LOGS).glob(".*.wal.new")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    for parent in (path.parent, path.parent.parent):
        if parent.name.startswith(("hour=", "date=")):
            with suppress(OSError):  # not empty, most often
                parent.rmdir()
