"""Segments: rows in time order as immutable Parquet files, each within one hour, or merged, within one day (UTC).

    exchanges/date=2026-11-22/hour=17/20261122T170501-9f3a2b1c.parquet       as the recorder seals it
    exchanges/date=2026-11-22/20261122T000012-0b7d94aa.parquet               small hours of a day that is over, merged

A file never crosses the border of its folder: pruning by folder finds every row.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightschool.store.durable import new_file
from nightschool.store.manifest import Segment, TableName
from nightschool.store.schema import KEYS, SCHEMAS

Split = Literal["hour", "day"]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
ROWS_PER_GROUP = 10_000
BYTES_PER_GROUP = 64 << 20
"""A group must fit into memory, several times."""
_PAGE_BYTES = 4 << 20
"""zstd sees one page at a time: in a bigger one a long system prompt is stored once for more rows."""
_TEXTS = {"request", "response", "logprobs", "comment", "message"}
_SELDOM_REPEATED = {"id", "exchange_id", "time", "upstream_request_id", "key", *_TEXTS}
"""Columns in which a dictionary only costs."""
_WITHOUT_STATISTICS = {"key", "value", *_TEXTS}
"""Nobody asks for a range of them."""
_ASCENDING: Literal["ascending"] = "ascending"


def seal(folder: Path, name: TableName, rows: pa.Table, *, split: Split = "hour") -> list[Segment]:
    """Write the rows, in any order, as segments split at the hour (or midnight).

    They are not part of the store before they are published.
    """
    return [seal_one(folder, name, part) for part in _split(in_time_order(name, rows), split)]


def seal_one(folder: Path, name: TableName, rows: pa.Table) -> Segment:
    """Write rows that are in time order and within one day as one segment."""
    first_us, last_us = time_bounds(rows)
    with new_segment(folder, name, first_us, last_us, rows.num_rows) as segment:
        segment.write(rows)
    return segment.described()


def in_time_order(name: TableName, rows: pa.Table) -> pa.Table:
    return rows.sort_by([("time", _ASCENDING), (KEYS[name], _ASCENDING)])


def time_bounds(rows: pa.Table) -> tuple[int, int]:
    """Microseconds of the first and the last row of rows in time order."""
    times = rows.column("time").cast(pa.int64())
    return times[0].as_py(), times[-1].as_py()


def _split(rows: pa.Table, split: Split) -> Iterator[pa.Table]:
    if not rows.num_rows:
        return
    spans = pc.floor_temporal(rows.column("time"), unit=split).cast(pa.int64()).combine_chunks()
    begin = 0
    for count in Counter(spans.to_pylist()).values():
        yield rows.slice(begin, count)
        begin += count


class UnfinishedSegment:
    """A segment that is being filled."""

    def __init__(self, folder: Path, path: Path, writer: pq.ParquetWriter) -> None:
        self._folder, self._path, self._writer = folder, path, writer
        self._rows = self._last_us = 0
        self._first_us: int | None = None

    def write(self, rows: pa.Table) -> None:
        """Add rows that are in time order and not older than those before."""
        _write_groups(self._writer, rows)
        first_us, self._last_us = time_bounds(rows)
        self._first_us = first_us if self._first_us is None else self._first_us
        self._rows += rows.num_rows

    def described(self) -> Segment:
        """The segment as the manifest names it, once its file is closed."""
        return Segment(
            path=self._path.relative_to(self._folder).as_posix(),
            rows=self._rows,
            min_time_us=self._last_us if self._first_us is None else self._first_us,
            max_time_us=self._last_us,
            bytes=self._path.stat().st_size,
        )


@contextmanager
def new_segment(folder: Path, name: TableName, first_us: int, last_us: int, rows: int) -> Iterator[UnfinishedSegment]:
    """A segment for about ``rows`` rows between the two times; an error leaves no file behind."""
    path = _path(folder, name, first_us, last_us)
    with new_file(path) as file, pq.ParquetWriter(file, SCHEMAS[name], **_format(name, rows)) as writer:
        yield UnfinishedSegment(folder, path, writer)


def _path(folder: Path, name: TableName, first_us: int, last_us: int) -> Path:
    if first_us // DAY_US != last_us // DAY_US:
        raise ValueError(f"a segment from {first_us} to {last_us} would cross midnight")
    first = datetime.fromtimestamp(first_us / 1e6, UTC)
    place = folder / name / f"date={first:%Y-%m-%d}"
    if first_us // HOUR_US == last_us // HOUR_US:
        place /= f"hour={first:%H}"
    return place / f"{first:%Y%m%dT%H%M%S}-{os.urandom(4).hex()}.parquet"


def _write_groups(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    for begin in range(0, rows.num_rows, ROWS_PER_GROUP):
        _write_group(writer, rows.slice(begin, ROWS_PER_GROUP))


def _write_group(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    if rows.nbytes > BYTES_PER_GROUP and rows.num_rows > 1:
        half = rows.num_rows // 2
        _write_group(writer, rows.slice(0, half))
        _write_group(writer, rows.slice(half))
    else:
        writer.write_table(rows, row_group_size=ROWS_PER_GROUP)


def _format(name: TableName, rows: int) -> dict[str, Any]:
    schema, key = SCHEMAS[name], KEYS[name]
    leaves = [leaf for field in schema for leaf in _leaves(field)]
    return {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": [leaf for leaf in leaves if leaf not in _SELDOM_REPEATED],
        "column_encoding": {"time": "DELTA_BINARY_PACKED"},
        "write_statistics": [leaf for leaf in leaves if leaf.rsplit(".")[-1] not in _WITHOUT_STATISTICS],
        "bloom_filter_options": {key: {"ndv": min(rows, ROWS_PER_GROUP), "fpp": 0.01}},
        "sorting_columns": pq.SortingColumn.from_ordering(schema, [("time", _ASCENDING)]),
        "data_page_size": _PAGE_BYTES,
        "write_page_checksum": True,
        "store_schema": False,
    }


def _leaves(field: pa.Field[Any]) -> list[str]:
    if pa.types.is_map(field.type):
        return [f"{field.name}.key_value.key", f"{field.name}.key_value.value"]
    return [field.name]
