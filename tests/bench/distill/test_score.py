"""Scores of answers against the truth."""

from __future__ import annotations

import pytest

from bench.distill.redaction import judge
from bench.distill.score import Score, score
from bench.distill.task import Case, Counts
from demo.redaction.request import answer_with
from demo.redaction.text import Entity

ANN, ROME, TEN = Entity("PERSON", "Ann"), Entity("CITY", "Rome"), Entity("AGE", "10")


def test_an_entity_counts_only_with_its_type_and_whatever_the_order() -> None:
    mistyped = Entity("CITY", "Ann")

    assert judge(answer_with([ROME, ANN]), answer_with([ANN, ROME])) == (Counts(2, 2, 2), True)
    assert judge(answer_with([mistyped]), answer_with([ANN, ROME])) == (Counts(0, 1, 2), True)


def test_an_answer_that_cannot_be_read_finds_nothing_and_is_not_valid() -> None:
    assert judge(None, answer_with([ANN])) == (Counts(0, 0, 1), False)
    assert judge({"role": "assistant", "content": "Ann"}, answer_with([ANN])) == (Counts(0, 0, 1), False)


def test_scores_are_micro_averages() -> None:
    truths = [answer_with([ANN, ROME, TEN]), answer_with([ANN])]
    cases = [Case({"messages": [{"content": str(n)}]}, truth, truth) for n, truth in enumerate(truths)]

    scored = score([answer_with([ANN, ROME]), answer_with([ROME])], cases, judge)

    assert scored == Score(rows=(Counts(2, 2, 3), Counts(0, 1, 1)), valid=2)
    assert (scored.precision, scored.recall, scored.f1) == pytest.approx((2 / 3, 2 / 4, 4 / 7))


def test_the_interval_holds_the_score_and_is_the_same_every_time() -> None:
    scored = Score(rows=tuple(Counts(n % 2, 1, 1) for n in range(100)), valid=100)

    low, high = scored.interval

    assert 0.38 < low < scored.f1 < high < 0.62
    assert scored.interval == (low, high)


def test_nothing_said_where_nothing_is_to_be_said_is_right() -> None:
    assert Score(rows=(Counts(0, 0, 0),), valid=1).f1 == 1
