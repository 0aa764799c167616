"""Segments: time order, hours, and what other tools see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.record import Record
from nightschool.store.manifest import Segment
from nightschool.store.schema import EXCHANGES, table_of
from nightschool.store.segment import BYTES_PER_GROUP, ROWS_PER_GROUP, new_segment, seal
from tests.store.logs import HOUR_US, NOON_US, text_id


def sealed(folder: Path, times: list[int]) -> list[Segment]:
    records = [Record(id=text_id(time_us, n), time_us=time_us, request="{}") for n, time_us in enumerate(times)]
    return seal(folder, "exchanges", table_of("exchanges", records))


def times_in(folder: Path, segment: Segment) -> list[int]:
    times: list[Any] = (
        pq.read_table(folder / segment.path, partitioning=None).column("time").cast(pa.int64()).to_pylist()
    )
    return times


@settings(max_examples=25, deadline=None)
@given(offsets=st.lists(st.integers(0, 30 * HOUR_US), min_size=1, max_size=40))
def test_every_row_is_under_its_own_hour_and_in_time_order(
    tmp_path_factory: pytest.TempPathFactory, offsets: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    times = [NOON_US + offset for offset in offsets]

    written = sealed(folder, times)

    kept = [times_in(folder, segment) for segment in written]
    assert sorted(time_us for part in kept for time_us in part) == sorted(times)
    for segment, part in zip(written, kept, strict=True):
        assert part == sorted(part)
        assert (segment.min_time_us, segment.max_time_us, segment.rows) == (part[0], part[-1], len(part))
        assert len({time_us // HOUR_US for time_us in part}) == 1
        assert segment.bytes == (folder / segment.path).stat().st_size


def test_the_folder_says_day_and_hour(tmp_path: Path) -> None:
    (segment,) = sealed(tmp_path, [NOON_US])

    assert segment.path.startswith("exchanges/date=2026-03-10/hour=12/20260310T120000-")


def test_rows_split_by_day_lie_in_the_folder_of_the_day(tmp_path: Path) -> None:
    records = [Record(id=str(n), time_us=NOON_US + n * 8 * HOUR_US) for n in range(3)]

    first, second = seal(tmp_path, "exchanges", table_of("exchanges", records), split="day")

    assert first.path.startswith("exchanges/date=2026-03-10/2026")
    assert second.path.startswith("exchanges/date=2026-03-11/hour=04/2026")


def test_a_segment_never_crosses_midnight(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="midnight"), new_segment(tmp_path, "exchanges", 0, 30 * HOUR_US, 1):
        pass


def test_the_columns_on_the_disk_are_the_schema(tmp_path: Path) -> None:
    (segment,) = sealed(tmp_path, [NOON_US])

    assert pq.read_schema(tmp_path / segment.path).equals(EXCHANGES)


def test_row_groups_are_compressed_and_their_ids_have_a_bloom_filter(tmp_path: Path) -> None:
    (segment,) = sealed(tmp_path, [NOON_US + n for n in range(ROWS_PER_GROUP + 5)])

    metadata = pq.read_metadata(tmp_path / segment.path)
    columns = [metadata.row_group(0).column(n) for n in range(metadata.num_columns)]
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [ROWS_PER_GROUP, 5]
    assert {column.compression for column in columns} == {"ZSTD"}
    probe = f"select bloom_filter_excludes from parquet_bloom_probe('{tmp_path / segment.path}', 'id', 'nobody')"
    with duckdb.connect() as engine:
        assert engine.execute(probe).fetchall() == [(True,), (True,)]


def test_rows_too_big_for_one_group_get_several(tmp_path: Path) -> None:
    large = "x" * (BYTES_PER_GROUP // 2)
    records = [Record(id=str(n), time_us=NOON_US + n, request=large) for n in range(3)]

    (segment,) = seal(tmp_path, "exchanges", table_of("exchanges", records))

    metadata = pq.read_metadata(tmp_path / segment.path)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [1, 1, 1]
    assert times_in(tmp_path, segment) == [record.time_us for record in records]


def test_an_error_while_writing_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_segment(tmp_path, "exchanges", NOON_US, NOON_US, 1):
        raise RuntimeError

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_other_tools_read_the_folder_with_hours_and_days_mixed(tmp_path: Path) -> None:
    sealed(tmp_path, [NOON_US, NOON_US + HOUR_US])
    day = [Record(id="d", time_us=NOON_US), Record(id="e", time_us=NOON_US + 3 * HOUR_US)]
    seal(tmp_path, "exchanges", table_of("exchanges", day), split="day")

    with duckdb.connect() as engine:
        counted = engine.execute(f"select count(*) from '{tmp_path}/exchanges/**/*.parquet'").fetchone()
    assert counted == (4,)
    assert ds.dataset(tmp_path / "exchanges", partitioning="hive").count_rows() == 4
