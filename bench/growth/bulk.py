"""Ten million stored exchanges, written as segments directly: as large and as many as the merges would leave.

The texts are those of 50,000 synthetic exchanges over and over, each with an id and a time of its own. zstd sees 4 MiB
at once, about 2,000 of them, so it gains nothing from the repetition: a row takes as much room as one that is new.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bench.store import DAYS
from bench.synthetic import PRICES, Traffic
from nightschool.record import id_text, new_id
from nightschool.store import wal
from nightschool.store.exchange import to_record
from nightschool.store.manifest import prepare_folder, publish
from nightschool.store.schema import table_of
from nightschool.store.segment import DAY_US, new_segment

POOL = 50_000
ROWS_PER_SEGMENT = 250_000
"""About 140 MB, which the merges leave alone."""


def write_store(folder: Path, rows: int, *, texts: int = POOL, per_segment: int = ROWS_PER_SEGMENT) -> str:
    """A store of so many exchanges over the last days; returns the id of one in the middle."""
    prepare_folder(folder)
    pool, roll = _pool(min(rows, texts), time.time_ns() // 1000), random.Random(7)
    step_us = DAYS * DAY_US // rows
    begin_us = time.time_ns() // 1000 - rows * step_us
    some_id, segments = "", []
    for first, last in _spans(rows, begin_us, step_us, per_segment):
        bounds = begin_us + first * step_us, begin_us + (last - 1) * step_us
        with new_segment(folder, "exchanges", *bounds, last - first) as segment:
            for begin in range(first, last, texts):
                times = [begin_us + number * step_us for number in range(begin, min(begin + texts, last))]
                ids = [id_text(new_id(each, roll.randbytes(10))) for each in times]
                if begin <= rows // 2 < begin + texts:
                    some_id = ids[0]
                segment.write(_with_times(pool.slice(0, len(times)), times, ids))
        segments.append(segment.described())
    publish(folder, lambda manifest: manifest.with_segments("exchanges", segments))
    return some_id


def _spans(rows: int, begin_us: int, step_us: int, most: int) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of each segment: within one day, and not too many."""
    first = 0
    while first < rows:
        midnight = ((begin_us + first * step_us) // DAY_US + 1) * DAY_US
        last = min(rows, first + most, -(-(midnight - begin_us) // step_us))
        yield first, last
        first = last


def _pool(rows: int, now_us: int) -> pa.Table:
    """Of all those days, since times stand in the texts, too."""
    traffic, records = Traffic(), []
    for number in range(rows):
        time_us = now_us - (rows - number) * (DAYS * DAY_US // rows)
        (_, request, asked), (_, end, answered) = traffic.exchange(time_us)
        assert isinstance(request, wal.Request)
        assert isinstance(end, wal.End)
        records.append(to_record(request, asked, end, answered, PRICES, None))
    return table_of("exchanges", records)


def _with_times(rows: pa.Table, times: list[int], ids: list[str]) -> pa.Table:
    for name, values in (("id", ids), ("time", times)):
        position = rows.schema.get_field_index(name)
        field = rows.schema.field(position)
        rows = rows.set_column(position, field, pa.array(values, type=field.type))
    return rows
