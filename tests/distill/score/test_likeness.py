"""A wrong number is never the right one, and the same number is, however it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from distill.score.json_fields import JsonFieldsScorer
from distill.score.likeness import likeness
from distill.score.scorer import Scorer
from distill.score.tool_call import ToolCallScorer
from tests.distill.score.messages import ASKED, calls, says

OTHER = [
    (1234567890, 1234567899),
    (1732500000, 1732501500),
    (4111111111111111, 4111111111119999),
    (10**30, 10**30 + 1),
    (2**53 + 1, float(2**53)),
    (1732500000.0, 1732501500.0),
    (1250000.50, 1250000.10),
    (1732500000.5, 1732500001.5),
    (0.001, 0.0010001),
    (5, -5),
    ("1234567890", "1234567899"),
    ("4111111111111111", "4111111111119999"),
    ("4111 1111 1111 1111", "4111 1111 1111 9999"),
    ("00501", "501"),
    ("+49301234", "49301234"),
    ("12345678901234567890.5", "12345678901234567891.5"),
    ("1e999", "2e999"),
    ("1.500", "1.5"),
    ("1,500", "1.500"),
    ("1,000", "1000"),
    ("$12.50", "$1250"),
    ("$.50", "$50"),
    ("-5 EUR", "5 EUR"),
    ("- 5 EUR", "5 EUR"),
    ("-$5", "$5"),
    ("-EUR 5", "EUR 5"),
    ("EUR-5", "EUR 5"),
    ("at -EUR 5", "at EUR 5"),
    ("5.00- EUR", "5.00 EUR"),
    ("5 %", "5"),
    ("€5", "$5"),
    ("1.11.2026", "11.1.2026"),
    ("1/11/2026", "11/1/2026"),
    ("2026-1-11", "2026-11-1"),
    ("1.11.2026", "1/11/2026"),
    ("10.0.0.1", "100.0.1"),
    ("1/2 cup", "12 cup"),
    ("rooms 1, 2", "rooms 12"),
    ("rooms 1 2", "rooms 12"),
    ("order_1_2", "order_12"),
    ("2^3 and 2*3", "23 and 23"),
]
EQUAL = [
    (1, 1.0),
    (10**20, 1e20),
    (0.1 + 0.2, 0.3),
    (2.9999999999, 3),
    (59.9138688, 59.913869),
    ("1.50", "1.5"),
    ("501", "501.0"),
    ("1e3", "1000"),
    ("-.5", "-0.5"),
    ("2026-11-25", "2026/11/25"),
    ("from 2026.11.25", "From 2026-11-25"),
    ("5 %", "5%"),
    ("No. 5", "no 5"),
    ("Rs.500", "Rs 500"),
    ("**5** stars", "5 stars"),
    ("5-star", "5 star"),
    ("order_id: 7.", "Order-ID: 7"),
    ("New-York", "new york"),
]
IN_A_TEXT = st.text(alphabet="ab01 ,./-_*^$'", max_size=8)
SCORERS = pytest.mark.parametrize("scorer", [ToolCallScorer(), JsonFieldsScorer()], ids=lambda scorer: scorer.name)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_a_wrong_number_is_not_the_right_one(one: Any, other: Any) -> None:
    assert likeness(one, other) == likeness(other, one) == 0
    assert likeness(one, one) == likeness(other, other) == 1


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_a_number_is_the_same_however_it_is_written(one: Any, other: Any) -> None:
    assert likeness(one, other) == likeness(other, one) == 1


@SCORERS
@settings(max_examples=300, deadline=None)
@given(st.integers(), st.integers())
@example(10**15, 10**15 + 1)
def test_different_integers_never_score_one(scorer: Scorer, one: int, other: int) -> None:
    assume(one != other)

    assert scored(scorer, one, other) < 1
    assert scored(scorer, str(one), str(other)) < 1
    assert scored(scorer, one, one) == scored(scorer, str(one), str(one)) == 1


@SCORERS
@settings(max_examples=400, deadline=None)
@given(st.integers(-99, 99) | st.integers(), st.integers(-99, 99) | st.integers(), IN_A_TEXT, IN_A_TEXT, st.booleans())
@example(5, -5, "-", "", False)
@example(5, -5, "x- /", "", False)
@example(5, -5, "x 2026-1", "", False)
def test_nor_do_texts_that_differ_in_an_integer(
    scorer: Scorer, one: int, other: int, before: str, after: str, opposite: bool
) -> None:
    other = -one if opposite else other
    assume(one != other)

    assert scored(scorer, f"x{before}{one}{after}", f"x{before}{other}{after}") < 1
    assert scored(scorer, f"{before}{one}{after}x", f"{before}{other}{after}x") < 1


def test_a_text_that_repeats_itself_is_compared_at_once() -> None:
    """Quadratic work on so many characters would take many minutes."""
    dashes, digits = "x" + "-" * 300_000, "1" * 300_000

    assert likeness(dashes, dashes + "5") == 0
    assert likeness(digits, digits + "0") == 0
    assert likeness("1 " * 150_000, "1 " * 149_999) == likeness("1 " * 150_000, "1, " * 150_000) == 0


def scored(scorer: Scorer, one: Any, other: Any) -> float:
    if scorer.name == "json_fields":
        return scorer(ASKED, says(json.dumps({"id": one})), says(json.dumps({"id": other}))).value
    return scorer(ASKED, calls(("find", {"id": one})), calls(("find", {"id": other}))).value
