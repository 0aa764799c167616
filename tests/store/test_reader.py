"""Readers: everything that was answered, once, while others write."""

from __future__ import annotations

import itertools
import threading
import warnings
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import nightschool
from nightschool.errors import StoreError
from nightschool.store import wal
from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.compact import compact_once
from nightschool.store.erase import erase
from nightschool.store.lock import lock
from nightschool.store.manifest import prepare_folder, read_manifest
from nightschool.store.reader import StoreWarning, Window, connect, take_snapshot
from tests.store.logs import (
    HOUR_US,
    NOON_US,
    exchange,
    feedback,
    header,
    identity,
    ids,
    open_log,
    request,
    rows,
    text_id,
    write_log,
)
from tests.store.older import make_older


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare_folder(tmp_path)
    return tmp_path


def seal(folder: Path, *numbers: int) -> str:
    """Publish exchanges as one segment; returns its path."""
    write_log(folder, [exchange(NOON_US + n, n) for n in numbers], f"log-{numbers[0]}")
    absorb(folder, finished_logs(folder))
    return read_manifest(folder).segments("exchanges")[-1].path


def test_an_empty_store_has_typed_views(tmp_path: Path) -> None:
    assert rows(tmp_path, "select count(*), max(time), sum(prompt_tokens) from exchanges") == [(0, None, None)]
    assert rows(tmp_path, "select count(*), max(score) from feedback") == [(0, None)]


def test_a_folder_that_is_not_there_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no data folder at .*nothing(?s:.*)nightschool logs import"):
        nightschool.open_store(tmp_path / "nothing")


def failed(number: int) -> list[bytes]:
    """Of a student, for which its teacher answered."""
    asked = request(NOON_US + number, number, target="student", adapter="w--a", reason="canary")
    told = wal.End(
        id=identity(NOON_US + number, number), status=200, target="teacher", reason="fallback_invalid", upstream="main"
    )
    return [*asked, *wal.encode(wal.END, told)]


def test_segments_that_are_older_than_a_column_are_read_merged_and_erased_beside_newer_ones(folder: Path) -> None:
    seal(folder, 0, 1)
    make_older(folder)
    write_log(folder, [failed(2)], "log-2")
    absorb(folder, finished_logs(folder))
    write_log(folder, [failed(3)], "log-3")
    expected = [(0, None), (1, None), (2, "w--a"), (3, "w--a")]
    query = f"select epoch_us(time) - {NOON_US}, failed_adapter from exchanges order by time"

    assert rows(folder, query) == expected
    while compact_once(folder):
        pass
    assert rows(folder, query) == expected
    assert {each.schema_version for each in read_manifest(folder).segments("exchanges")} == {2}

    make_older(folder)
    seal(folder, 4)
    erase(folder, [text_id(NOON_US + 1, 1), text_id(NOON_US + 4, 4)])
    assert [number for number, _ in rows(folder, query)] == [0, 2, 3]


def test_sealed_and_unsealed_exchanges_are_seen_together(folder: Path) -> None:
    seal(folder, 0, 1)
    write_log(folder, [exchange(NOON_US + 2, 2), feedback(NOON_US + 2, 2)])

    with open_log(folder, [exchange(NOON_US + 3, 3), request(NOON_US + 4, 4)]):
        assert ids(folder) == [text_id(NOON_US + n, n) for n in range(4)]
        assert rows(folder, "select exchange_id, score from feedback") == [(text_id(NOON_US + 2, 2), 1.0)]


def test_an_exchange_cut_by_a_killed_proxy_is_seen(folder: Path) -> None:
    write_log(folder, [request(NOON_US)])

    assert rows(folder, "select complete, error_type from exchanges") == [(False, "proxy_killed")]


def test_the_types_are_those_of_the_schema(folder: Path) -> None:
    for unsealed in (False, True):
        write_log(folder, [exchange(NOON_US, tags={"feature": "inbox"})])
        if not unsealed:
            absorb(folder, finished_logs(folder))
        found = rows(folder, "select time, tags['feature'], status, typeof(time), typeof(tags) from exchanges limit 1")
        assert found == [
            (datetime(2026, 3, 10, 12, tzinfo=UTC), "inbox", 200, "TIMESTAMP WITH TIME ZONE", "MAP(VARCHAR, VARCHAR)")
        ]


def test_times_are_utc_whatever_the_machine_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    seal(folder, 0)

    assert rows(folder, "select time::varchar, hour(time) from exchanges") == [("2026-03-10 12:00:00+00", 12)]


def test_a_folder_with_signs_of_a_pattern_in_its_name_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "it's [a] *?"
    prepare_folder(folder)
    seal(folder, 0)

    assert ids(folder) == [text_id(NOON_US)]


def test_a_window_leaves_out_what_cannot_matter(folder: Path) -> None:
    seal(folder, 0)
    write_log(folder, [exchange(NOON_US + 5 * HOUR_US, 5)])
    absorb(folder, finished_logs(folder))

    snapshot = take_snapshot(folder)

    assert len(snapshot.segments("exchanges", Window(NOON_US + HOUR_US, None))) == 1
    assert len(snapshot.segments("exchanges", Window(None, NOON_US + 1))) == 1
    assert len(snapshot.segments("exchanges", Window(NOON_US, NOON_US + 5 * HOUR_US + 1))) == 2
    with closing(connect(snapshot, Window(NOON_US + HOUR_US, None))) as store:
        assert store.execute("select count(*) from exchanges").fetchall() == [(1,)]


@pytest.mark.parametrize("damage", ["cut", "missing", "overwritten", "footer"])
def test_a_damaged_segment_is_left_out_and_named(folder: Path, damage: str) -> None:
    path = folder / seal(folder, 0, 1)
    seal(folder, 2)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "overwritten":
        path.write_bytes(bytes(len(content)))
    else:
        path.write_bytes(content[:-300] + bytes(200) + content[-100:])

    with pytest.warns(StoreWarning, match=rf"{path.name} is left out, 2 rows"):
        assert ids(folder) == [text_id(NOON_US + 2, 2)]


def test_a_log_of_a_newer_version_is_named_and_the_rest_is_read(folder: Path) -> None:
    seal(folder, 0)
    (folder / "wal" / "newer.wal").write_bytes(b"".join(header(schema_version=99)))

    with pytest.warns(StoreWarning, match=r"newer\.wal cannot be read: its schema version is 99"):
        assert ids(folder) == [text_id(NOON_US)]


def test_a_reader_that_has_begun_is_not_disturbed_by_a_merge(folder: Path) -> None:
    seal(folder, 0)
    seal(folder, 1)
    with closing(nightschool.open_store(folder)) as store:
        assert compact_once(folder)

        assert store.execute("select count(*) from exchanges").fetchall() == [(2,)]


def test_the_last_attempt_waits_for_the_publisher(folder: Path) -> None:
    seal(folder, 0)
    with lock(
        folder / "manifest.lock"
    ):  # a publisher that takes its time does not hold up a reader that meets no change
        assert ids(folder) == [text_id(NOON_US)]


def test_a_reader_beside_a_recorder_never_misses_or_doubles_a_row(folder: Path) -> None:
    """Logs appear, are absorbed and merged, while the store is read over and over."""
    written: list[str] = []
    problems: list[str] = []
    done = threading.Event()
    reads = 0

    def write() -> None:
        for log in itertools.takewhile(lambda log: log < 40 or reads <= 3, itertools.count()):
            numbers = range(log * 5, log * 5 + 5)
            path = write_log(folder, [exchange(NOON_US + n, n) for n in numbers], f".{log:03}")
            path.replace(path.with_name(f"{log:03}.wal"))
            written.extend(text_id(NOON_US + n, n) for n in numbers)
            absorb(folder, finished_logs(folder))
            compact_once(folder)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        before = len(written)
        seen = ids(folder)
        reads += 1
        if len(seen) != len(set(seen)):
            problems.append(f"doubled: {len(seen)} rows, {len(set(seen))} exchanges")
        if set(written[:before]) - set(seen):
            problems.append(f"missing: {len(set(written[:before]) - set(seen))} of {before}")
    writer.join()

    assert problems == []
    assert ids(folder) == written


def test_nothing_is_warned_of_when_nothing_is_wrong(folder: Path) -> None:
    seal(folder, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(ids(folder)) == 1
