"""Several segments -> one, in time order, holding only what overlaps.

row groups by first time -> read -> sort what is held -> emit what no later group can precede
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightschool.errors import StoreError
from nightschool.store.manifest import Segment, TableName
from nightschool.store.schema import SCHEMAS, TIME, missing_in
from nightschool.store.segment import BYTES_PER_GROUP, ROWS_PER_GROUP, in_time_order, new_segment

MOST_HELD_BYTES = 256 << 20
"""Of rows whose times overlap. A sort copies them, twice for a moment; more than 2 GiB of text Arrow does not sort."""


class SegmentDamaged(StoreError):
    """A file that the manifest names is gone, or is no sound Parquet."""

    def __init__(self, segment: Segment, cause: str) -> None:
        self.segment, self.cause = segment, cause
        super().__init__(f"{segment.path} cannot be read: {cause}", remedy="restore it from a backup of the folder")


class Interrupted(Exception):
    """The merge was given up before its end."""


class Run(NamedTuple):
    """A row group: rows in time order."""

    first_us: int
    last_us: int
    bytes: int
    """In memory, about."""
    segment: Segment
    group: int


def fitting(folder: Path, segments: Collection[Segment]) -> list[Segment]:
    """Those that a merge has memory for: all, unless too much of them overlaps in time; then some of the smallest.

    What comes of these is larger, and waits until the others have grown as large: nothing is written often.
    """
    runs = {segment.path: _runs(folder, segment) for segment in segments}

    def held_bytes(some: Iterable[Segment]) -> int:
        return _most_held_bytes([run for segment in some for run in runs[segment.path]])

    if held_bytes(segments) <= MOST_HELD_BYTES:
        return list(segments)
    by_size = sorted(segments, key=lambda segment: segment.bytes)
    counts = range(1, len(by_size) + 1)
    return by_size[: bisect_right(counts, MOST_HELD_BYTES, key=lambda count: held_bytes(by_size[:count]))]


def _most_held_bytes(runs: Sequence[Run]) -> int:
    """Of the runs that go over one moment, for the worst of these."""
    begins = [(run.first_us, run.bytes) for run in runs]
    ends = [(run.last_us + 1, -run.bytes) for run in runs]
    return max(accumulate(change for _, change in sorted([*begins, *ends])), default=0)


def merge(
    folder: Path, name: TableName, segments: Collection[Segment], *, stop: Callable[[], bool] = lambda: False
) -> Segment:
    """Write all rows of ``segments`` as one segment, not yet published."""
    first_us = min(segment.min_time_us for segment in segments)
    last_us = max(segment.max_time_us for segment in segments)
    rows = sum(segment.rows for segment in segments)
    with new_segment(folder, name, first_us, last_us, rows) as merged:
        for table in _in_time_order(folder, name, segments):
            if stop():
                raise Interrupted
            merged.write(table)
    return merged.described()


def read_groups(folder: Path, name: TableName, segment: Segment) -> Iterator[pa.Table]:
    """The row groups of one segment, checked against their checksums."""
    for run in _runs(folder, segment):
        yield _read(folder, name, run)


def _in_time_order(folder: Path, name: TableName, segments: Collection[Segment]) -> Iterator[pa.Table]:
    runs = sorted((run for segment in segments for run in _runs(folder, segment)), key=lambda run: run.first_us)
    held, enough_rows, enough_bytes = SCHEMAS[name].empty_table(), ROWS_PER_GROUP, BYTES_PER_GROUP
    for run, following in zip(runs, [*runs[1:], None], strict=True):
        held = pa.concat_tables([held, _read(folder, name, run)])
        if following is not None and held.num_rows < enough_rows and held.nbytes < enough_bytes:
            continue
        held = in_time_order(name, held)
        ready = held.num_rows if following is None else _ready(held, following.first_us)
        if ready:
            yield held.slice(0, ready)
            held = held.slice(ready)
        enough_rows = 2 * held.num_rows + ROWS_PER_GROUP  # where everything overlaps, sort less and less often
        enough_bytes = min(2 * held.nbytes, MOST_HELD_BYTES) + BYTES_PER_GROUP


def _ready(held: pa.Table, horizon_us: int) -> int:
    """Rows that can be written: older than all that is to come; in whole row groups, unless too big to wait."""
    ready = pc.sum(pc.less(held.column("time"), pa.scalar(horizon_us, TIME)).cast(pa.int64())).as_py() or 0
    return ready if held.nbytes >= BYTES_PER_GROUP else ready - ready % ROWS_PER_GROUP


def _runs(folder: Path, segment: Segment) -> Sequence[Run]:
    with _sound(folder, segment) as file:
        return [_run(file, segment, index) for index in range(file.num_row_groups)]


def _run(file: pq.ParquetFile, segment: Segment, group: int) -> Run:
    column = file.schema_arrow.get_field_index("time")
    metadata = file.metadata.row_group(group)
    statistics = metadata.column(column).statistics
    if statistics is None or statistics.min_raw is None or statistics.max_raw is None:
        raise ValueError("it does not say when its rows begin and end")
    return Run(int(statistics.min_raw), int(statistics.max_raw), metadata.total_byte_size, segment, group)


def _read(folder: Path, name: TableName, run: Run) -> pa.Table:
    with _sound(folder, run.segment) as file:
        rows = file.read_row_group(run.group)
    for column in missing_in(name, run.segment.schema_version):
        rows = rows.append_column(column, pa.nulls(rows.num_rows))
    return rows.cast(SCHEMAS[name])


@contextmanager
def _sound(folder: Path, segment: Segment) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(folder / segment.path, page_checksum_verification=True) as file:
            yield file
    except FileNotFoundError as error:
        raise SegmentDamaged(segment, "the file is missing") from error
    except MemoryError:  # Arrow's own is an ArrowException too, and no fault of the file
        raise
    except (pa.ArrowException, ValueError) as error:
        raise SegmentDamaged(segment, str(error)) from error
    except OSError as error:
        if error.errno is None:  # Arrow's way to say that the bytes are wrong; the disk's own errors have a number
            raise SegmentDamaged(segment, str(error)) from error
        raise
