"""Retention: exchanges and feedback older than a limit leave the store.

Segments wholly older go as they are. One across the limit is rewritten when a good part of it is older, not at every
turn for a few more rows: they stay for a quarter of the time that it spans at most, six hours where that is a day.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from nightschool.store.manifest import TRAFFIC, Segment, publish, read_manifest
from nightschool.store.quarantine import list_quarantine
from nightschool.store.rewrite import rewrite
from nightschool.store.schema import TIME

log = logging.getLogger("nightschool.store")


def drop_older(folder: Path, limit_us: int) -> None:
    """Remove what was recorded before ``limit_us``, quarantined files included; some of it a few hours later only."""
    for name in TRAFFIC:
        segments = read_manifest(folder).segments(name)
        expired = [segment for segment in segments if segment.max_time_us < limit_us]
        if expired:
            publish(folder, lambda manifest: manifest.without_segments(name, expired))  # noqa: B023  called at once
            log.info("segments_expired table=%s segments=%d rows=%d", name, len(expired), sum(s.rows for s in expired))
        for segment in segments:
            if segment.max_time_us >= limit_us and _is_worth_it(segment, limit_us):
                rewrite(folder, name, segment, lambda rows: _since(rows, limit_us))
    for path in list_quarantine(folder):
        if path.stat().st_mtime * 1e6 < limit_us:
            path.unlink(missing_ok=True)


def _is_worth_it(segment: Segment, limit_us: int) -> bool:
    """Whether a quarter of the time that it spans is older, at least."""
    expired_us = limit_us - segment.min_time_us
    return expired_us > 0 and 4 * expired_us >= segment.max_time_us - segment.min_time_us


def _since(rows: pa.Table, limit_us: int) -> pa.Table:
    return rows.filter(pc.greater_equal(rows.column("time"), pa.scalar(limit_us, TIME)))
