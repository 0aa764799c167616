"""The alarm is rare while a student is as good as is asked for, and quick when it is not, whenever that begins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.audit.alarm import alarm_evidence, can_alarm

BAR = 0.85
agreements = st.lists(st.floats(0, 1), max_size=40)


def first_alarm(scores: list[float], bar: float, threshold: float) -> int | None:
    return next((n for n in range(1, len(scores) + 1) if alarm_evidence(scores[:n], bar) >= threshold), None)


@pytest.mark.parametrize("kind", ["all or nothing", "spread", "always at the bar"])
def test_at_the_bar_it_rises_by_no_more_than_one_an_answer(kind: str) -> None:
    """What makes false alarms rarer than one in ``threshold`` answers."""
    chance = np.random.default_rng(7)
    ends = []
    for _ in range(400):
        match kind:
            case "all or nothing":
                scores = (chance.random(100) < BAR).astype(float)
            case "spread":
                scores = chance.beta(8.5, 1.5, 100)
            case _:
                scores = np.full(100, BAR)
        ends.append(alarm_evidence(scores.tolist(), BAR))

    # The mean of a heavy-tailed martingale's end is hard to measure: its median and share of alarms are not.
    assert np.median(ends) <= 100
    assert np.mean(np.array(ends) >= 2_000) <= 100 / 2_000 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_at_the_bar_false_alarms_are_further_apart_than_the_threshold_on_average() -> None:
    """Watched for no longer than ``longest`` answers: the mean of what is longer is longer still."""
    chance = np.random.default_rng(11)
    threshold, longest = 100, 180
    waits = []
    for _ in range(60):
        found = first_alarm((chance.random(longest) < BAR).astype(float).tolist(), BAR, threshold)
        waits.append(longest if found is None else found)

    assert np.mean(waits) >= threshold


@pytest.mark.parametrize(("drop", "within"), [(0.3, 60), (0.6, 25), (0.85, 15)])
def test_a_drop_is_found_within_so_many_answers_also_after_a_long_good_time(drop: float, within: int) -> None:
    chance = np.random.default_rng(3)
    delays = []
    for good in (0, 300):
        for _ in range(30):
            before = (chance.random(good) < 0.9).astype(float).tolist()
            after = (chance.random(200) < BAR - drop).astype(float).tolist()
            found = first_alarm_from(before, after)
            assert found is not None
            delays.append(found)

    assert np.median(delays) <= within


def first_alarm_from(before: list[float], after: list[float]) -> int | None:
    return next((n for n in range(1, len(after) + 1) if alarm_evidence(before + after[:n], BAR) >= 10_000), None)


@given(agreements, st.floats(0, 1), st.floats(0, 1))
def test_a_worse_answer_never_lowers_it(scores: list[float], last: float, worse: float) -> None:
    low, high = sorted((last, worse))

    assert alarm_evidence([*scores, low], BAR) >= alarm_evidence([*scores, high], BAR)


@given(agreements, st.floats(-1, 2))
def test_it_is_a_number_whatever_it_hears(scores: list[float], bar: float) -> None:
    evidence = alarm_evidence(scores, bar)

    assert np.isfinite(evidence)
    assert evidence >= 0


def test_before_the_first_answer_there_is_no_evidence() -> None:
    assert alarm_evidence([], BAR) == 0


def test_below_zero_nothing_is_too_bad() -> None:
    assert alarm_evidence([0.0] * 100, -0.02) == 0


@pytest.mark.parametrize(("bar", "can"), [(-0.02, False), (0.0, False), (0.001, False), (0.03, True), (0.85, True)])
def test_a_bar_that_nobody_falls_below_soon_is_of_no_use(bar: float, can: bool) -> None:
    assert can_alarm(bar, 10_000) == can
    assert can_alarm(bar, 100) == (bar > 0.03)
