"""Compaction: what is merged, and that every row is still there, once."""

from __future__ import annotations

import time
from cProfile import Profile
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.record import Record
from nightschool.store.compact import ENOUGH_BYTES, LARGE_BYTES, MANY, SMALL_BYTES, compact_once, plan
from nightschool.store.manifest import Manifest, Segment, prepare_folder, publish, read_manifest
from nightschool.store.merge import Interrupted, SegmentDamaged, merge
from nightschool.store.quarantine import list_quarantine
from nightschool.store.rewrite import replace_segments
from nightschool.store.schema import EXCHANGES, table_of
from nightschool.store.segment import ROWS_PER_GROUP, in_time_order, seal
from tests.store.logs import DAY_US, HOUR_US, NOON_US, ids, rows, text_id

MIDNIGHT_US = NOON_US - 12 * HOUR_US
LONG_AFTER_US = NOON_US + 10 * DAY_US
_number = count()


def segment(hour: float, size: int = 1000, *, hours: float = 0.5) -> Segment:
    begin_us = MIDNIGHT_US + int(hour * HOUR_US)
    return Segment(
        path=f"exchanges/{next(_number)}",
        rows=1,
        min_time_us=begin_us,
        max_time_us=begin_us + int(hours * HOUR_US),
        bytes=size,
    )


def add(folder: Path, times: list[int], *, first: int = 0) -> list[Segment]:
    """Publish one batch of rows."""
    records = [Record(id=text_id(time_us, first + n), time_us=time_us) for n, time_us in enumerate(times)]
    written = seal(folder, "exchanges", table_of("exchanges", records))
    publish(folder, lambda manifest: manifest.with_segments("exchanges", written))
    return written


def add_long(folder: Path, segments: list[list[int]], *, text_bytes: int) -> None:
    """Publish one segment for each list of times; the texts in it are small on the disk only."""
    for number, times in enumerate(segments):
        records = [
            Record(id=text_id(time_us, number * len(times) + place), time_us=time_us, request="x" * text_bytes)
            for place, time_us in enumerate(times)
        ]
        written = seal(folder, "exchanges", table_of("exchanges", records))
        publish(folder, partial(Manifest.with_segments, table="exchanges", added=written))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare_folder(tmp_path)
    return tmp_path


class TestPlan:
    def test_an_hour_that_is_over_becomes_one_segment(self) -> None:
        segments = [segment(3, 40 << 20), segment(3.2, 40 << 20)]

        assert plan(segments, MIDNIGHT_US + 5 * HOUR_US) == [segments]

    def test_an_hour_that_is_going_on_is_left_alone_while_it_has_few_segments(self) -> None:
        segments = [segment(3) for _ in range(MANY - 1)]

        assert plan(segments, MIDNIGHT_US + int(3.9 * HOUR_US)) == []
        assert plan([*segments, segment(3)], MIDNIGHT_US + int(3.9 * HOUR_US)) != []

    def test_what_comes_late_into_an_hour_is_waited_for(self) -> None:
        assert plan([segment(3), segment(3.1)], MIDNIGHT_US + int(4.1 * HOUR_US)) == []

    def test_a_segment_that_is_large_enough_is_never_written_again(self) -> None:
        assert plan([segment(3, ENOUGH_BYTES), segment(3)], LONG_AFTER_US) == []

    def test_a_few_late_rows_do_not_cause_the_whole_hour_to_be_written_again(self) -> None:
        assert plan([segment(3, 100 << 20), segment(3.4)], MIDNIGHT_US + 6 * HOUR_US) == []

    def test_a_quiet_day_that_is_over_becomes_one_segment(self) -> None:
        segments = [segment(hour) for hour in range(24)]

        assert plan(segments, LONG_AFTER_US) == [segments]

    def test_days_are_not_merged_with_one_another(self) -> None:
        assert plan([segment(3), segment(27)], LONG_AFTER_US) == []

    def test_nothing_is_left_to_do_when_everything_is_merged(self) -> None:
        assert plan([segment(0, hours=23.9), segment(24, hours=23.9)], LONG_AFTER_US) == []

    @given(
        st.lists(
            st.builds(segment, st.integers(0, 50), st.sampled_from([1000, SMALL_BYTES, 40 << 20, ENOUGH_BYTES])),
            max_size=60,
        ),
        st.integers(0, 100),
    )
    def test_every_group_is_worth_it_and_none_shares_a_segment(self, segments: list[Segment], hour: int) -> None:
        groups = plan(segments, MIDNIGHT_US + hour * HOUR_US)

        merged = [entry.path for group in groups for entry in group]
        assert len(merged) == len(set(merged))
        for group in groups:
            assert len(group) > 1
            assert sum(entry.bytes for entry in group) <= LARGE_BYTES
            assert len({entry.min_time_us // DAY_US for entry in group}) == 1


@settings(max_examples=20, deadline=None)
@given(batches=st.lists(st.lists(st.integers(0, HOUR_US - 1), min_size=1, max_size=30), min_size=2, max_size=5))
def test_a_merge_keeps_every_row_once_and_in_time_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    prepare_folder(folder)
    for number, batch in enumerate(batches):
        add(folder, [NOON_US + offset for offset in batch], first=100 * number)
    before = ids(folder)

    merged = merge(folder, "exchanges", read_manifest(folder).segments("exchanges"))

    table = pq.read_table(folder / merged.path, partitioning=None)
    assert table.column("id").to_pylist() == before
    times = table.column("time").cast(pa.int64()).to_pylist()
    assert (merged.rows, merged.min_time_us, merged.max_time_us) == (len(before), times[0], times[-1])


def test_a_merge_of_more_rows_than_fit_into_a_group_makes_whole_groups(folder: Path) -> None:
    for n in range(3):
        add(folder, [NOON_US + 3 * i + n for i in range(8_000)], first=n * 8_000)

    merged = merge(folder, "exchanges", read_manifest(folder).segments("exchanges"))

    metadata = pq.read_metadata(folder / merged.path)
    sizes = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
    assert sizes == [ROWS_PER_GROUP, ROWS_PER_GROUP, 4_000]
    table = pq.read_table(folder / merged.path, partitioning=None)
    times: list[Any] = table.column("time").to_pylist()
    assert times == sorted(times)


def test_merged_files_stay_for_readers_that_have_begun(folder: Path) -> None:
    old = [*add(folder, [NOON_US]), *add(folder, [NOON_US + 1], first=1)]

    assert compact_once(folder)

    manifest = read_manifest(folder)
    assert [entry.rows for entry in manifest.segments("exchanges")] == [2]
    assert {entry.path for entry in manifest.garbage} == {entry.path for entry in old}
    assert all((folder / entry.path).exists() for entry in old)
    assert len(ids(folder)) == 2
    assert not compact_once(folder)


def test_a_merge_that_comes_too_late_changes_nothing_and_leaves_no_file(folder: Path) -> None:
    first, second = add(folder, [NOON_US])[0], add(folder, [NOON_US + 1], first=1)[0]
    merged = merge(folder, "exchanges", [first, second])
    publish(folder, lambda manifest: manifest.without_segments("exchanges", [first]))

    assert not replace_segments(folder, "exchanges", [first, second], [merged])

    assert read_manifest(folder).segments("exchanges") == (second,)
    assert not (folder / merged.path).exists()


def test_a_damaged_segment_is_set_aside_and_the_others_are_merged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segments = [add(folder, [NOON_US + n], first=n)[0] for n in range(3)]
    (folder / segments[1].path).write_bytes(b"PAR1 this is no Parquet PAR1")

    while compact_once(folder):
        pass

    assert rows(folder, "select count(*) from exchanges") == [(2,)]
    assert [path.read_bytes()[:4] for path in list_quarantine(folder)] == [b"PAR1"]
    assert segments[1].path in caplog.text


def test_a_flipped_byte_is_found_by_the_checksum(folder: Path) -> None:
    records = [Record(id=str(n), time_us=NOON_US + n, request=f"{n * 7919}" * 50) for n in range(500)]
    (written,) = seal(folder, "exchanges", table_of("exchanges", records))
    texts = pq.read_metadata(folder / written.path).row_group(0).column(EXCHANGES.names.index("request"))
    content = bytearray((folder / written.path).read_bytes())
    content[texts.data_page_offset + texts.total_compressed_size // 2] ^= 1
    (folder / written.path).write_bytes(content)

    with pytest.raises(SegmentDamaged, match=written.path):
        merge(folder, "exchanges", [written])


def test_a_group_that_cannot_be_merged_is_tried_once_and_does_not_hold_up_the_next(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = add(folder, [NOON_US])[0]
    rows_of_it = pq.read_table(folder / odd.path, partitioning=None)
    nonsense = pa.array(["no number"], pa.string())
    place = rows_of_it.schema.get_field_index("status")
    pq.write_table(rows_of_it.set_column(place, "status", nonsense), folder / odd.path)
    add(folder, [NOON_US + 1], first=1)
    for n in range(2):
        add(folder, [NOON_US + DAY_US + n], first=2 + n)
    given_up: set[tuple[str, ...]] = set()

    said = [compact_once(folder, given_up=given_up) for _ in range(3)]

    assert said == [True, False, False]
    assert [segment.rows for segment in read_manifest(folder).segments("exchanges")] == [1, 1, 2]
    assert caplog.text.count("merge_failed table=exchanges") == 1
    assert odd.path in caplog.text


def test_where_all_long_texts_overlap_they_are_not_sorted_anew_for_each_segment(folder: Path) -> None:
    add_long(folder, [[NOON_US + n, NOON_US + HOUR_US - 100 + n] for n in range(15)], text_bytes=8 << 20)
    calls = Profile()

    calls.runcall(merge, folder, "exchanges", read_manifest(folder).segments("exchanges"))

    sorts = sum(entry.callcount for entry in calls.getstats() if entry.code is in_time_order.__code__)
    assert 1 <= sorts <= 3


def test_of_long_texts_that_overlap_no_more_are_merged_at_once_than_memory_is_meant_to_hold(folder: Path) -> None:
    add_long(folder, [[NOON_US + n, NOON_US + HOUR_US - 100 + n] for n in range(6)], text_bytes=24 << 20)
    before = ids(folder)
    counts = []

    while compact_once(folder):
        counts.append(sorted(entry.rows for entry in read_manifest(folder).segments("exchanges")))

    assert counts == [[2, 10], [12]]
    assert ids(folder) == before


def test_long_texts_that_do_not_overlap_are_merged_at_once(folder: Path) -> None:
    add_long(folder, [[NOON_US + 2 * n, NOON_US + 2 * n + 1] for n in range(6)], text_bytes=24 << 20)

    assert compact_once(folder)

    assert [entry.rows for entry in read_manifest(folder).segments("exchanges")] == [12]


def test_two_segments_that_are_too_much_for_memory_together_are_left_as_they_are(folder: Path) -> None:
    add_long(folder, [[NOON_US, NOON_US], [NOON_US, NOON_US]], text_bytes=66 << 20)
    before = read_manifest(folder)

    assert not compact_once(folder)

    assert read_manifest(folder) == before


def test_a_merge_stops_when_it_is_told_to_and_leaves_no_file(folder: Path) -> None:
    segments = add(folder, [NOON_US, NOON_US + 1])
    present = set(folder.rglob("*"))

    with pytest.raises(Interrupted):
        merge(folder, "exchanges", segments, stop=lambda: True)

    assert set(folder.rglob("*")) == present


def test_today_is_not_merged_before_its_hour_is_over(folder: Path) -> None:
    now_us = time.time_ns() // 1000
    for n in range(3):
        add(folder, [now_us], first=n)

    assert not compact_once(folder)
