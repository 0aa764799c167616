"""Rows that are too old."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nightschool.record import Record
from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.manifest import prepare_folder, publish, read_manifest
from nightschool.store.retention import drop_older
from nightschool.store.schema import table_of
from nightschool.store.segment import seal
from tests.store.logs import HOUR_US, NOON_US, exchange, feedback, ids, rows, text_id, write_log

MINUTE_US = HOUR_US // 60


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six exchanges, one every half hour, the first two with feedback."""
    prepare_folder(tmp_path)
    frames = [exchange(NOON_US + n * HOUR_US // 2, n) for n in range(6)]
    write_log(tmp_path, [*frames, feedback(NOON_US, 0), feedback(NOON_US + HOUR_US // 2, 1)])
    absorb(tmp_path, finished_logs(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kept_from", range(7))
def test_exactly_what_is_older_goes(folder: Path, kept_from: int) -> None:
    drop_older(folder, NOON_US + kept_from * HOUR_US // 2)

    assert ids(folder) == [text_id(NOON_US + n * HOUR_US // 2, n) for n in range(kept_from, 6)]
    assert rows(folder, "select count(*) from feedback") == [(max(0, 2 - kept_from),)]


def test_an_old_segment_goes_as_a_whole_and_the_one_across_the_limit_is_rewritten(folder: Path) -> None:
    first, second, third = read_manifest(folder).segments("exchanges")

    drop_older(folder, NOON_US + 3 * HOUR_US // 2)

    kept = read_manifest(folder).segments("exchanges")
    assert kept[0] == third
    assert [(segment.rows, segment.min_time_us) for segment in kept[1:]] == [(1, NOON_US + 3 * HOUR_US // 2)]
    assert {first.path, second.path} <= {garbage.path for garbage in read_manifest(folder).garbage}


def test_the_segment_of_a_day_is_rewritten_a_few_times_in_all_and_keeps_nothing_six_hours_too_long(
    tmp_path: Path,
) -> None:
    """As the recorder does it: every ten minutes of the day in which it expires."""
    prepare_folder(tmp_path)
    midnight_us = NOON_US - 12 * HOUR_US
    records = [Record(id=text_id(midnight_us + n, n), time_us=midnight_us + n * MINUTE_US) for n in range(1440)]
    written = seal(tmp_path, "exchanges", table_of("exchanges", records), split="day")
    publish(tmp_path, lambda manifest: manifest.with_segments("exchanges", written))
    rewritten = rows_written = 0
    kept = read_manifest(tmp_path).segments("exchanges")

    for turn in range(1, 145):
        before, limit_us = kept, midnight_us + turn * 10 * MINUTE_US
        drop_older(tmp_path, limit_us)
        kept = read_manifest(tmp_path).segments("exchanges")
        if kept and kept != before:
            rewritten += 1
            rows_written += kept[0].rows
        assert all(segment.min_time_us > limit_us - 6 * HOUR_US for segment in kept)

    assert kept == ()
    assert rewritten <= 20
    assert rows_written <= 3 * 1440


def test_nothing_is_written_when_nothing_is_too_old(folder: Path) -> None:
    before = read_manifest(folder)

    drop_older(folder, NOON_US)

    assert read_manifest(folder) == before


def test_quarantined_files_grow_old_too(folder: Path) -> None:
    old, young = folder / "quarantine" / "old.wal", folder / "quarantine" / "young.wal"
    old.parent.mkdir()
    for path, time_us in ((old, NOON_US - 1_000_000), (young, NOON_US + 1_000_000)):
        path.touch()
        os.utime(path, (time_us / 1e6, time_us / 1e6))

    drop_older(folder, NOON_US)

    assert list(old.parent.iterdir()) == [young]
