"""Retention: exchanges and feedback older than a limit leave the store.

Segments wholly older go as they are, those across the limit are rewritten.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from nightschool.store.manifest import TRAFFIC, publish, read_manifest
from nightschool.store.quarantine import list_quarantine
from nightschool.store.rewrite import rewrite
from nightschool.store.schema import TIME

log = logging.getLogger("nightschool.store")


def drop_older(folder: Path, limit_us: int) -> None:
    """Remove what was recorded before ``limit_us``, quarantined files included."""
    for name in TRAFFIC:
        segments = read_manifest(folder).segments(name)
        expired = [segment for segment in segments if segment.max_time_us < limit_us]
        if expired:
            publish(folder, lambda manifest: manifest.without_segments(name, expired))  # noqa: B023  called at once
            log.info("segments_expired table=%s segments=%d rows=%d", name, len(expired), sum(s.rows for s in expired))
        for segment in segments:
            if segment.min_time_us < limit_us <= segment.max_time_us:
                rewrite(folder, name, segment, lambda rows: _since(rows, limit_us))
    for path in list_quarantine(folder):
        if path.stat().st_mtime * 1e6 < limit_us:
            path.unlink(missing_ok=True)


def _since(rows: pa.Table, limit_us: int) -> pa.Table:
    return rows.filter(pc.greater_equal(rows.column("time"), pa.scalar(limit_us, TIME)))
