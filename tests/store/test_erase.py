"""Erasure."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.erase import erase, find, unreadable
from nightschool.store.manifest import prepare_folder, read_manifest
from nightschool.store.quarantine import list_quarantine
from nightschool.store.reader import StoreWarning
from nightschool.store.schema import EXCHANGES
from nightschool.store.sweep import sweep
from tests.store.logs import HOUR_US, NOON_US, exchange, feedback, ids, open_log, rows, text_id, write_log

SECRET = "jane@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six exchanges over three hours; the third one names Jane, and has feedback."""
    prepare_folder(tmp_path)
    frames = [
        exchange(NOON_US + n * HOUR_US // 2, n, question=SECRET if n == 2 else "why?", client=f"c{n % 2}")
        for n in range(6)
    ]
    write_log(tmp_path, [*frames, feedback(NOON_US + HOUR_US, 2), feedback(NOON_US, 0)])
    absorb(tmp_path, finished_logs(tmp_path))
    return tmp_path


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_matches_is_found(folder: Path) -> None:
    assert find(folder, "request like ?", [f"%{SECRET}%"]) == {text_id(NOON_US + HOUR_US, 2)}
    assert len(find(folder, "client = ?", ["c1"])) == 3
    assert find(folder, "false", []) == set()


def test_an_erased_exchange_and_its_feedback_are_gone_and_the_others_stay(folder: Path) -> None:
    doomed = text_id(NOON_US + HOUR_US, 2)
    others = [identity for identity in ids(folder) if identity != doomed]

    assert erase(folder, {doomed}) == set()

    assert ids(folder) == others
    assert rows(folder, "select exchange_id from feedback") == [(text_id(NOON_US, 0),)]


def test_only_the_segments_that_hold_it_are_rewritten(folder: Path) -> None:
    before = read_manifest(folder).segments("exchanges")

    erase(folder, {text_id(NOON_US + HOUR_US, 2)})

    assert len(set(before) & set(read_manifest(folder).segments("exchanges"))) == 2


def test_after_the_sweep_no_byte_of_it_is_on_the_disk(folder: Path) -> None:
    doomed = text_id(NOON_US + HOUR_US, 2)
    segment = read_manifest(folder).segments("exchanges")[1].path

    erase(folder, {doomed})
    sweep(folder, grace_s=0)

    assert not (folder / segment).exists()
    assert doomed.encode() not in everything(folder)


def test_a_segment_of_which_nothing_is_left_is_not_written(folder: Path) -> None:
    erase(folder, set(ids(folder)))

    assert read_manifest(folder).segments("exchanges") == ()
    assert ids(folder) == []


def test_what_is_still_in_a_log_is_told(folder: Path) -> None:
    late = text_id(NOON_US + 9, 9)
    with open_log(folder, [exchange(NOON_US + 9, 9, question=SECRET)]):
        found = find(folder, "request like ?", [f"%{SECRET}%"])
        assert erase(folder, found) == {late}
    absorb(folder, finished_logs(folder))

    assert erase(folder, found) == set()
    assert find(folder, "request like ?", [f"%{SECRET}%"]) == set()


def test_late_feedback_about_it_is_told_too(folder: Path) -> None:
    doomed = {text_id(NOON_US, 0)}
    write_log(folder, [feedback(NOON_US, 0)])

    assert erase(folder, doomed) == doomed
    absorb(folder, finished_logs(folder))
    assert erase(folder, doomed) == set()
    assert rows(folder, "select exchange_id from feedback") == [(text_id(NOON_US + HOUR_US, 2),)]


def test_files_that_are_missing_or_cut_are_left_out_and_the_rest_is_erased(folder: Path) -> None:
    doomed = text_id(NOON_US + HOUR_US, 2)
    first, _, last = (folder / segment.path for segment in read_manifest(folder).segments("exchanges"))
    first.unlink()
    last.write_bytes(last.read_bytes()[:-100])

    assert erase(folder, {doomed}) == set()

    assert unreadable(folder) == sorted([first, last])
    with pytest.warns(StoreWarning, match="is left out"):
        assert find(folder, "true", []) == {text_id(NOON_US + 3 * HOUR_US // 2, 3)}


@pytest.mark.parametrize("column", ["id", "request"])
def test_a_file_that_is_damaged_within_is_set_aside_and_the_rest_is_erased(folder: Path, column: str) -> None:
    doomed = {text_id(NOON_US, 0), text_id(NOON_US + HOUR_US, 2)}
    damaged = read_manifest(folder).segments("exchanges")[0]
    content = bytearray((folder / damaged.path).read_bytes())
    begin = pq.read_metadata(folder / damaged.path).row_group(0).column(EXCHANGES.names.index(column)).data_page_offset
    content[begin : begin + 60] = bytes(60)
    (folder / damaged.path).write_bytes(content)

    assert erase(folder, doomed) == set()

    assert [path.read_bytes() for path in list_quarantine(folder)] == [content]
    assert ids(folder) == [text_id(NOON_US + n * HOUR_US // 2, n) for n in (3, 4, 5)]
