"""Segments replaced by others that hold less, or the same in fewer files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from nightschool.store.manifest import Manifest, Segment, TableName, publish
from nightschool.store.merge import SegmentDamaged, read_groups
from nightschool.store.quarantine import set_aside
from nightschool.store.segment import new_segment
from nightschool.store.sweep import discard


class _Outdated(Exception):
    """What was to be replaced is not part of the store any more."""


def replace_segments(folder: Path, name: TableName, old: Sequence[Segment], new: Sequence[Segment]) -> bool:
    """Publish ``new`` in the place of ``old``.

    False, with ``new`` deleted, if somebody has replaced one of ``old`` meanwhile.
    """

    def change(manifest: Manifest) -> Manifest:
        if not manifest.holds(name, old):
            raise _Outdated
        return manifest.without_segments(name, old).with_segments(name, new)

    try:
        publish(folder, change)
    except _Outdated:
        return False
    finally:
        discard(folder, name, new)
    return True


def rewrite(folder: Path, name: TableName, segment: Segment, keep: Callable[[pa.Table], pa.Table]) -> bool:
    """Replace a segment by what ``keep`` leaves of it; False if it is no longer part of the store, or damaged."""
    try:
        kept = _filtered(folder, name, segment, keep)
    except SegmentDamaged as error:
        set_aside(folder, name, error.segment, error.cause)
        return False
    return replace_segments(folder, name, [segment], kept)


def _filtered(folder: Path, name: TableName, segment: Segment, keep: Callable[[pa.Table], pa.Table]) -> list[Segment]:
    tables = (kept for rows in read_groups(folder, name, segment) if (kept := keep(rows)).num_rows)
    first = next(tables, None)
    if first is None:
        return []
    with new_segment(folder, name, segment.min_time_us, segment.max_time_us, segment.rows) as rewritten:
        rewritten.write(first)
        for rows in tables:
            rewritten.write(rows)
    return [rewritten.described()]
