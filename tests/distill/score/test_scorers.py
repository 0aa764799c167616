"""What holds for every scorer, whatever models say."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.score.choose import scorer_named
from distill.score.likeness import likeness
from distill.score.matching import best_pairs
from distill.score.message import value_of
from distill.score.scorer import Message, Question, kind_of
from tests.distill.score.messages import OFFERED, WEATHER, calls, says

NAMES = ["tool_call", "json_fields", "spans", "label", "exact"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(max_size=20) | JSON.map(json.dumps)
MESSAGES = st.one_of(
    TEXT.map(says),
    st.lists(st.tuples(st.sampled_from(["weather", "other", ""]), JSON | TEXT), max_size=3).map(
        lambda made: calls(*made)
    ),
    st.dictionaries(st.sampled_from(["content", "tool_calls", "function_call", "refusal"]), JSON),
)
QUESTIONS = st.builds(
    Question,
    messages=st.just([]),
    tools=st.sampled_from([[], [WEATHER], [{"function": 7}], [{"type": "function", "function": {"name": "other"}}]]),
    response_format=st.none() | st.sampled_from([{"type": "json_object"}, {"json_schema": {"schema": {"type": 7}}}]),
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(question=QUESTIONS, answer=st.none() | MESSAGES, reference=MESSAGES)
def test_a_score_is_from_0_to_1(name: str, question: Question, answer: Message | None, reference: Message) -> None:
    value, problem = scorer_named(name)(question, answer, reference)

    assert 0 <= value <= 1
    assert problem is None or kind_of(problem) in ("invalid_answer", "invalid_reference")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(question=QUESTIONS, reference=MESSAGES)
def test_a_reference_against_itself_scores_one(name: str, question: Question, reference: Message) -> None:
    """Where it breaks what was asked, it is said so."""
    value, problem = scorer_named(name)(question, reference, reference)

    assert value == pytest.approx(1) or (problem is not None and kind_of(problem) == "invalid_reference")


@settings(max_examples=150, deadline=None)
@given(JSON, JSON)
def test_likeness_is_from_0_to_1_symmetric_and_1_for_the_same(one: Any, other: Any) -> None:
    one, other = json.loads(json.dumps(one)), json.loads(json.dumps(other))

    assert 0 <= likeness(one, other) <= 1 + 1e-12
    assert likeness(one, other) == pytest.approx(likeness(other, one))
    assert likeness(one, one) == pytest.approx(1)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("New-York", "new york", 1),
        ("O'Hara", 'o"hara', 1),
        ("1.5", "15", 0),
        ("1.50", "1.5", 1),
        ("-5", "5", 0),
        ("-", ".", 0),
        (1, 1.0, 1),
        (0.1 + 0.2, 0.3, 1),
        (1, True, 0),
        (0, False, 0),
        (1, "1", 0),
        (None, "", 0),
        ([1, 2], [2, 1], 0),
        ([{"a": 1}, {"a": 2}], [{"a": 2}, {"a": 1}], 1),
        ({"a": {"b": [1, 2, 3]}}, {"a": {"b": [1, 2, 4]}}, 2 / 3),
        ([], [], 1),
        ([], [1], 0),
        ({}, {}, 1),
        (10**400, 10**400, 1),
        (10**400, 0.5, 0),
        (math.nan, math.nan, 1),
        (math.nan, 1, 0),
    ],
)
def test_values_are_compared_by_what_they_mean(one: Any, other: Any, alike: float) -> None:
    assert likeness(one, other) == pytest.approx(alike)


GAINS = st.integers(0, 4).flatmap(
    lambda columns: st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 0.3]), min_size=columns, max_size=columns), max_size=4
    )
)


@settings(max_examples=200, deadline=None)
@given(GAINS)
def test_the_matching_is_the_best_of_all(gains: list[list[float]]) -> None:
    """Every one is tried."""
    pairs = best_pairs(gains)
    rows, columns = len(gains), len(gains[0]) if gains else 0
    most = min(rows, columns)
    all_of_them = (
        zip(chosen, order, strict=True)
        for chosen in itertools.combinations(range(rows), most)
        for order in itertools.permutations(range(columns), most)
    )
    best = max((sum(gains[row][column] for row, column in pairing) for pairing in all_of_them), default=0.0)

    assert len(pairs) == most
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == most
    assert sum(gains[row][column] for row, column in pairs) == pytest.approx(best)


def test_json_that_is_too_deep_is_no_json() -> None:
    deep = "[" * 500 + "]" * 500

    assert value_of(deep) == value_of(deep)
    assert not isinstance(value_of(deep), list)
    for name in NAMES:
        assert scorer_named(name)(OFFERED, says(deep), says(deep)).value == 1
        assert scorer_named(name)(OFFERED, calls(("weather", deep)), calls(("weather", deep))).value in (0, 1)


def test_a_model_that_repeats_itself_does_not_stop_an_evaluation() -> None:
    many = calls(*[("weather", {"city": f"{n}"}) for n in range(2_000)])
    spans = calls(("redact", {"found": [{"value": f"{n}", "type": "x"} for n in range(20_000)]}))

    assert scorer_named("tool_call")(OFFERED, many, calls(("weather", {"city": "7"}))).value == pytest.approx(1 / 2_000)
    assert 0 < scorer_named("spans")(Question([]), spans, spans).value <= 1
