"""Several segments -> one, in time order, holding only what overlaps.

row groups by first time -> read -> sort what is held -> emit what no later group can precede
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightschool.errors import StoreError
from nightschool.store.manifest import Segment, TableName
from nightschool.store.schema import SCHEMAS, TIME, missing_in
from nightschool.store.segment import BYTES_PER_GROUP, ROWS_PER_GROUP, in_time_order, new_segment


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
    segment: Segment
    group: int


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
        enough_bytes = 2 * held.nbytes + BYTES_PER_GROUP


def _ready(held: pa.Table, horizon_us: int) -> int:
    """Rows that can be written: older than all that is to come; in whole row groups, unless too big to wait."""
    ready = pc.sum(pc.less(held.column("time"), pa.scalar(horizon_us, TIME)).cast(pa.int64())).as_py() or 0
    return ready if held.nbytes >= BYTES_PER_GROUP else ready - ready % ROWS_PER_GROUP


def _runs(folder: Path, segment: Segment) -> Sequence[Run]:
    with _sound(folder, segment) as file:
        return [Run(_first_us(file, index), segment, index) for index in range(file.num_row_groups)]


def _first_us(file: pq.ParquetFile, group: int) -> int:
    column = file.schema_arrow.get_field_index("time")
    statistics = file.metadata.row_group(group).column(column).statistics
    if statistics is None or statistics.min_raw is None:
        raise ValueError("it does not say when its rows begin")
    return int(statistics.min_raw)


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
