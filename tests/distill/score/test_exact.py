from __future__ import annotations

import pytest

from distill.score.exact import EXACT, LABEL
from tests.distill.score.messages import ASKED, calls, says


@pytest.mark.parametrize(
    ("answer", "reference", "exact", "label"),
    [
        ("card_lost", "card_lost", 1, 1),
        (" card_lost\n", "card_lost", 1, 1),
        ("Card_Lost", "card_lost", 0, 1),
        ('"card_lost".', "card_lost", 0, 1),
        ("card  lost", "card lost", 0, 1),
        ("card_stolen", "card_lost", 0, 0),
        ("!", "?", 0, 0),
        (".", '"', 0, 0),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', 1, 1),
        ('{"a": 1}', '{"a": 2}', 0, 0),
    ],
)
def test_right_or_wrong(answer: str, reference: str, exact: int, label: int) -> None:
    assert EXACT(ASKED, says(answer), says(reference)) == (exact, None)
    assert LABEL(ASKED, says(answer), says(reference)) == (label, None)


def test_calls_are_equal_in_any_order_and_spelling() -> None:
    one, other = calls(("a", '{"x":1}'), ("b", {})), calls(("b", ""), ("a", '{ "x": 1 }'))

    assert EXACT(ASKED, one, other).value == 1
    assert EXACT(ASKED, one, calls(("a", {"x": 1}))).value == 0


@pytest.mark.parametrize("scorer", [EXACT, LABEL])
def test_nothing_is_no_answer_and_no_reference(scorer: object) -> None:
    assert EXACT(ASKED, None, says("x")) == (0.0, "invalid_answer: it says nothing")
    assert EXACT(ASKED, says("x"), {"role": "assistant"}) == (0.0, "invalid_reference: it says nothing")
