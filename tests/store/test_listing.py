"""Picking exchanges out."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightschool.errors import StoreError
from nightschool.record import id_text
from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.filter import Filter
from nightschool.store.listing import feedback_about, newest, one
from nightschool.store.manifest import prepare_folder
from tests.store.logs import NOON_US, exchange, feedback, text_id, write_log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five exchanges, three sealed and two in a log."""
    folder = tmp_path_factory.mktemp("store")
    prepare_folder(folder)
    write_log(folder, [*(exchange(NOON_US + n, n) for n in range(3)), feedback(NOON_US, 0, score=0.25)])
    absorb(folder, finished_logs(folder))
    write_log(folder, [exchange(NOON_US + n, n) for n in range(3, 5)])
    return folder


def test_the_newest_come_first_without_their_bodies(folder: Path) -> None:
    found = newest(folder, Filter(), limit=3)

    assert [row["id"] for row in found] == [text_id(NOON_US + n, n) for n in (4, 3, 2)]
    assert found[0]["last_question"] == "why?"
    assert found[0].keys().isdisjoint(("request", "response", "logprobs"))


def test_nothing_found_is_nothing(folder: Path) -> None:
    assert newest(folder, Filter(workload="nobody's"), limit=3) == []


def test_an_exchange_is_found_by_its_id_and_by_either_end_of_it(folder: Path) -> None:
    identity = text_id(NOON_US + 1, 1)

    assert {one(folder, piece)["id"] for piece in (identity, identity.upper(), identity[-12:], f" {identity} ")} == {
        identity
    }


def test_the_one_exchange_is_whole(folder: Path) -> None:
    row = one(folder, text_id(NOON_US + 1, 1))

    assert row["request"] == '{"model":"gpt-x","messages":[{"role":"user","content":"why?"}]}'


def test_a_piece_that_fits_several_names_them(folder: Path) -> None:
    with pytest.raises(StoreError, match=f"fits several exchanges: {text_id(NOON_US, 0)}"):
        one(folder, text_id(NOON_US, 0)[:13])


@pytest.mark.parametrize("piece", ["ffffffff", id_text(b"\x00" * 6 + b"\x70" + b"\x80" * 9)])
def test_an_id_that_is_not_there_is_an_error(folder: Path, piece: str) -> None:
    with pytest.raises(StoreError, match=f"no exchange {piece}"):
        one(folder, piece)


def test_a_piece_too_short_to_mean_anything_is_an_error(folder: Path) -> None:
    with pytest.raises(StoreError, match="too short"):
        one(folder, "a")


def test_feedback_is_found_by_the_exchange(folder: Path) -> None:
    (opinion,) = feedback_about(folder, text_id(NOON_US, 0))

    assert (opinion["score"], opinion["comment"]) == (0.25, None)
    assert feedback_about(folder, text_id(NOON_US + 1, 1)) == []
