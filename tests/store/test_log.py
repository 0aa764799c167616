"""Logs: which are finished, and what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nightschool.record import SCHEMA_VERSION, Feedback, Price, Record
from nightschool.store import wal
from nightschool.store.log import LogReader, LogUnreadable, is_finished, list_logs
from tests.store.logs import (
    NOON_US,
    end,
    exchange,
    feedback,
    header,
    identity,
    open_log,
    request,
    text_id,
    write_log,
)


def read(path: Path, *, finished: bool = True) -> tuple[list[Record | Feedback], LogReader]:
    reader = LogReader(path, finished=finished)
    return list(reader), reader


def test_a_log_is_finished_when_nobody_holds_its_lock(tmp_path: Path) -> None:
    with open_log(tmp_path, [exchange(NOON_US)]) as path:
        assert not is_finished(path)
    assert is_finished(path)


def test_an_empty_log_is_left_to_whoever_has_just_made_it(tmp_path: Path) -> None:
    path = tmp_path / "new.wal"
    path.touch()
    assert not is_finished(path)

    os.utime(path, (0, 0))
    assert is_finished(path)


def test_logs_come_oldest_first_and_unborn_ones_not_at_all(tmp_path: Path) -> None:
    second, first = write_log(tmp_path, [], "20260102"), write_log(tmp_path, [], "20260101")
    (tmp_path / "wal" / ".20260103.wal.new").touch()

    assert list_logs(tmp_path) == [first, second]


def test_an_exchange_becomes_a_record_with_its_price(tmp_path: Path) -> None:
    rows, reader = read(write_log(tmp_path, [exchange(NOON_US, question="why?", workload="w")]))

    (row,) = rows
    assert isinstance(row, Record)
    assert (row.id, row.workload, row.status, row.complete) == (text_id(NOON_US), "w", 200, True)
    assert (row.prompt_tokens, row.completion_tokens) == (10, 5)
    assert row.cost_usd == pytest.approx(20e-6)
    assert (reader.damage, reader.end_offset) == ([], reader.path.stat().st_size)


def test_an_answer_in_parts_is_put_together(tmp_path: Path) -> None:
    parts = [wal.encode(wal.PART, wal.Part(identity(NOON_US)), [piece]) for piece in (b'{"mod', b'el":"gp')]
    last = wal.encode(wal.END, wal.End(id=identity(NOON_US), status=200, content_type="application/json"), [b't-x"}'])

    ((row,), _) = read(write_log(tmp_path, [request(NOON_US), *parts, last]))

    assert isinstance(row, Record)
    assert row.response == '{"model":"gpt-x"}'


def test_an_exchange_under_way_is_not_there_yet(tmp_path: Path) -> None:
    with open_log(tmp_path, [exchange(NOON_US), request(NOON_US + 1)]) as path:
        rows, _ = read(path, finished=False)

    assert [row.id for row in rows if isinstance(row, Record)] == [text_id(NOON_US)]


def test_an_exchange_cut_by_the_death_of_the_proxy_is_there_as_incomplete(tmp_path: Path) -> None:
    ((row,), _) = read(write_log(tmp_path, [request(NOON_US)]))

    assert isinstance(row, Record)
    assert (row.complete, row.error_type, row.status) == (False, "proxy_killed", None)


def test_feedback_is_a_row_of_its_own(tmp_path: Path) -> None:
    (rows, _) = read(write_log(tmp_path, [feedback(NOON_US, score=0.5)]))

    assert rows == [Feedback(exchange_id=text_id(NOON_US), time_us=NOON_US, score=0.5)]


@pytest.mark.parametrize("cut", [1, 7, 40, 90])
def test_a_torn_tail_costs_only_the_torn_frame(tmp_path: Path, cut: int) -> None:
    path = write_log(tmp_path, [exchange(NOON_US)])
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"".join(exchange(NOON_US + 1, 1))[:cut])

    rows, reader = read(path)

    assert [row.id for row in rows if isinstance(row, Record)] == [text_id(NOON_US)]
    assert (reader.end_offset, path.stat().st_size - whole) == (whole, cut)


def test_a_frame_that_makes_no_sense_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    strange = [wal.encode(77, None), wal.encode(wal.REQUEST, None, [b"?"])]

    rows, reader = read(write_log(tmp_path, [*strange, exchange(NOON_US)]))

    assert [row.id for row in rows if isinstance(row, Record)] == [text_id(NOON_US)]
    assert (reader.damaged, len(reader.damage)) == (2, 2)


def test_an_answer_whose_request_was_lost_leaves_no_row_and_is_no_damage(tmp_path: Path) -> None:
    part = wal.encode(wal.PART, wal.Part(identity(NOON_US, 9)), [b"{"])

    rows, reader = read(write_log(tmp_path, [part, end(NOON_US, 9), exchange(NOON_US)]))

    assert [row.id for row in rows if isinstance(row, Record)] == [text_id(NOON_US)]
    assert reader.damaged == 0


@pytest.mark.parametrize("time_us", [-1, 2**63, 10**18])
def test_a_time_that_no_clock_shows_costs_only_its_row(tmp_path: Path, time_us: int) -> None:
    strange = wal.encode(wal.REQUEST, wal.Request(id=identity(0), time_us=time_us))
    opinion = wal.encode(wal.FEEDBACK, Feedback(exchange_id="x", time_us=time_us))

    rows, reader = read(write_log(tmp_path, [strange, opinion, exchange(NOON_US)]))

    assert [row.id for row in rows if isinstance(row, Record)] == [text_id(NOON_US)]
    assert reader.damaged == 2


def test_of_very_many_faults_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    _, reader = read(write_log(tmp_path, [wal.encode(77, None)] * 100))

    assert reader.damaged == 100
    assert reader.told_damage().endswith("; and 97 more")
    assert reader.told_damage().count("makes no sense") == 3


def test_a_log_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "newer.wal"
    path.write_bytes(b"".join([*header(schema_version=SCHEMA_VERSION + 1), *exchange(NOON_US)]))

    with pytest.raises(LogUnreadable, match=f"schema version is {SCHEMA_VERSION + 1}"):
        read(path)


def test_a_log_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.wal").mkdir()

    with pytest.raises(LogUnreadable, match=r"folder\.wal"):
        read(tmp_path / "folder.wal")


def test_a_students_price_travels_with_the_log(tmp_path: Path) -> None:
    path = write_log(tmp_path, [exchange(NOON_US, target="student", adapter="w--0123456789ab")])
    frames = path.read_bytes()
    told = b"".join(wal.encode(wal.HEADER, wal.Header(student_price=Price(1.0, 2.0))))
    path.write_bytes(told + frames[next(wal.read_frames(path)).end_offset :])

    (row,) = read(path)[0]

    assert isinstance(row, Record)
    assert row.cost_usd == pytest.approx(20e-6)
