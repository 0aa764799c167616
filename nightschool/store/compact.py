"""Compaction: many small segments make queries slow (5 000 of them cost a second before any work), so they are merged.

    plan (pure) -> merge -> publish {- merged, + one}        the merged files stay on the disk for a while, see sweep.py

An hour that is going on is tidied when it has many small segments; one that is over becomes one segment, or several
of up to ``LARGE_BYTES``; a day that is over and had little traffic becomes one segment too.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from nightschool.store.manifest import TABLES, Segment, TableName, read_manifest
from nightschool.store.merge import Interrupted, SegmentDamaged, fitting, merge
from nightschool.store.quarantine import set_aside
from nightschool.store.rewrite import replace_segments
from nightschool.store.segment import DAY_US, HOUR_US

LARGE_BYTES = 256 << 20
ENOUGH_BYTES = 128 << 20
"""A segment of this size is left alone."""
SMALL_HOUR_BYTES = 32 << 20
"""Hours smaller than this are merged into their day."""
SMALL_BYTES = 8 << 20
MANY = 16
"""So many small segments are merged before their hour is over."""
LATE_US = HOUR_US // 4
"""An exchange is filed under the hour in which its request came, and may end in the next one."""

log = logging.getLogger("nightschool.store")


def plan(segments: Iterable[Segment], now_us: int) -> list[list[Segment]]:
    """Which segments to merge with one another: groups of two or more, each within one day, none in two groups."""
    by_day = defaultdict(list)
    for segment in segments:
        by_day[segment.min_time_us // DAY_US].append(segment)
    return [group for day, members in sorted(by_day.items()) for group in _plan_day(day, members, now_us)]


def compact_once(
    folder: Path, *, stop: Callable[[], bool] = lambda: False, given_up: set[tuple[str, ...]] | None = None
) -> bool:
    """Do the most urgent merge; False when there is none that can be done, or ``stop`` became true.

    A merge that fails must not keep the others from being done. ``given_up``, where the caller keeps it, gets the files
    of such a group, so that it is not tried again at each call.
    """
    given_up = set() if given_up is None else given_up
    manifest = read_manifest(folder)
    now_us = time.time_ns() // 1000
    for name in TABLES:
        for group in plan(manifest.segments(name), now_us):
            paths = tuple(segment.path for segment in group)
            if paths in given_up:
                continue
            if _merge_group(folder, name, group, stop):
                return True
            if stop():
                return False
            given_up.add(paths)
    return False


def _plan_day(day: int, segments: Sequence[Segment], now_us: int) -> Iterator[list[Segment]]:
    merged_by_day: set[Segment] = set()
    if now_us > (day + 1) * DAY_US + HOUR_US:
        merged_by_day = {segment for segment in segments if segment.bytes < SMALL_HOUR_BYTES}
        yield from _chunks(merged_by_day)
    by_hour = defaultdict(list)
    for segment in segments:
        hour = segment.min_time_us // HOUR_US
        if segment not in merged_by_day and hour == segment.max_time_us // HOUR_US:
            by_hour[hour].append(segment)
    for hour, members in sorted(by_hour.items()):
        yield from _plan_hour(members, is_over=now_us > (hour + 1) * HOUR_US + LATE_US)


def _plan_hour(segments: Sequence[Segment], *, is_over: bool) -> Iterator[list[Segment]]:
    if not is_over:
        small = [segment for segment in segments if segment.bytes < SMALL_BYTES]
        if len(small) >= MANY:
            yield from _chunks(small)
        return
    mergeable = [segment for segment in segments if segment.bytes < ENOUGH_BYTES]
    if mergeable and _is_worth_it([segment.bytes for segment in mergeable]):
        yield from _chunks(mergeable)


def _is_worth_it(sizes: Sequence[int]) -> bool:
    """A few late rows are no reason to write a hundred megabytes again."""
    return len(sizes) >= MANY or sum(sizes) - max(sizes) >= max(sizes) // 4


def _chunks(segments: Iterable[Segment]) -> Iterator[list[Segment]]:
    chunk: list[Segment] = []
    size = 0
    for segment in sorted(segments, key=lambda segment: segment.min_time_us):
        if size + segment.bytes > LARGE_BYTES:
            yield from _if_several(chunk)
            chunk, size = [], 0
        chunk.append(segment)
        size += segment.bytes
    yield from _if_several(chunk)


def _if_several(chunk: list[Segment]) -> Iterator[list[Segment]]:
    if len(chunk) > 1:
        yield chunk


def _merge_group(folder: Path, name: TableName, group: Sequence[Segment], stop: Callable[[], bool]) -> bool:
    try:
        group = fitting(folder, group)
        if len(group) < 2:
            return False
        merged = merge(folder, name, group, stop=stop)
    except Interrupted:
        return False
    except SegmentDamaged as error:
        set_aside(folder, name, error.segment, error.cause)
        return True
    except (pa.ArrowException, MemoryError) as error:
        log.error(
            "merge_failed table=%s segments=%s reason=%r; they stay as they are, and the others are merged",
            name,
            ",".join(segment.path for segment in group),
            str(error) or "memory ran out",
        )
        return False
    if replace_segments(folder, name, group, [merged]):
        log.info("segments_merged table=%s segments=%d rows=%d bytes=%d", name, len(group), merged.rows, merged.bytes)
    return True
