"""The betting e-process, recomputed by hand and held to its promise by simulation."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.gate.bets import fortune, interval, log_fortune, log_fortunes, lower_bound, rows_until
from distill.gate.bootstrap import bootstrap_interval
from tests.distill.gate.rows import drawn

DIFFERENCES = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=40)
RUNS, ROWS = 4_000, 1_000


def by_hand(differences: list[Fraction], mean: Fraction) -> Fraction:
    """The definition, in exact fractions: the mean of thirty products."""
    total = Fraction(0)
    for k in range(30):
        bet = Fraction(2 * k + 1, 60) / (1 + mean)
        product = Fraction(1)
        for difference in differences:
            product *= 1 + bet * (difference - mean)
        total += product
    return total / 30


@pytest.mark.parametrize("mean", [Fraction(-3, 100), Fraction(-1, 20), Fraction(0)])
def test_the_fortune_is_that_of_the_definition(mean: Fraction) -> None:
    differences = [Fraction(n, 4) for n in (0, 0, 4, -4, 1, 0, -1, 0, 0, 2, 0, 0, 4)] * 5

    found = log_fortune(np.array([float(d) for d in differences]), float(mean))

    assert math.exp(found) == pytest.approx(float(by_hand(differences, mean)), rel=1e-12)


def test_no_rows_are_no_evidence() -> None:
    nothing = np.array([])

    assert log_fortune(nothing, -0.03) == 0
    assert fortune(0) == 1
    assert rows_until(nothing, -0.03, 6.4) is None
    assert interval(nothing, 0.05) == (-1, 1)
    assert bootstrap_interval(nothing, 0.95) is None


@pytest.mark.parametrize(("discordance", "margin"), [(0.05, 0.05), (0.10, 0.03), (0.30, 0.02), (0.20, 0.0)])
def test_the_fortune_is_a_supermartingale_while_the_student_is_as_bad_as_it_may_be(
    discordance: float, margin: float
) -> None:
    """Its mean stays 1, within 4 standard errors of the simulation, and so does that of its growth from row to row."""
    random = np.random.default_rng(1)
    shares = [(discordance - margin) / 2, (discordance + margin) / 2, 1 - discordance]
    rows = random.choice([1.0, -1.0, 0.0], (RUNS, 60), p=shares)

    fortunes = np.exp([log_fortunes(run, -margin) for run in rows])

    for at in (0, 9, 29, 59):
        error = fortunes[:, at].std() / math.sqrt(RUNS)
        assert fortunes[:, at].mean() <= 1 + 4 * error
    growths = fortunes[:, 1:] / fortunes[:, :-1]
    assert growths.mean() <= 1 + 4 * growths.std() / math.sqrt(growths.size)


@pytest.mark.parametrize(("discordance", "margin"), [(0.05, 0.05), (0.10, 0.03), (0.30, 0.02)])
def test_however_often_one_looks_a_bad_student_is_rarely_believed(discordance: float, margin: float) -> None:
    """Ville: a fortune of 20 at any of a thousand looks, in at most 1/20 of runs (+ 3 standard errors)."""
    random = np.random.default_rng(2)
    shares = [(discordance - margin) / 2, (discordance + margin) / 2, 1 - discordance]
    runs = 1_000
    rows = random.choice([1.0, -1.0, 0.0], (runs, ROWS), p=shares)

    believed = sum(bool(log_fortunes(run, -margin).max() >= math.log(20)) for run in rows)

    assert believed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_partial_scores_keep_the_promise_too() -> None:
    random = np.random.default_rng(3)
    runs = 1_000
    rows = 2 * random.beta(4, 4, (runs, 300)) - 1 - 0.03  # mean -0.03, at most 1

    believed = sum(bool(log_fortunes(np.maximum(run, -1), -0.03).max() >= math.log(20)) for run in rows)

    assert believed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@settings(max_examples=50, deadline=None)
@given(DIFFERENCES, st.randoms(use_true_random=False), st.floats(-0.5, 0.5))
def test_the_order_of_rows_changes_the_path_and_not_the_fortune(
    differences: list[float], random: object, mean: float
) -> None:
    shuffled = list(differences)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random

    one, other = (log_fortune(np.array(rows), mean) for rows in (differences, shuffled))

    assert one == pytest.approx(other, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(DIFFERENCES)
def test_the_interval_holds_the_mean_and_is_what_the_bets_leave_standing(differences: list[float]) -> None:
    rows = np.array(differences)

    lower, upper = interval(rows, 0.05)

    assert -1 <= lower <= rows.mean() <= upper <= 1
    if lower > -1:
        assert log_fortune(rows, lower) >= math.log(40) - 1e-6
    if upper < 1:
        assert log_fortune(-rows, -upper) >= math.log(40) - 1e-6


def test_the_interval_covers_the_truth_at_all_times_at_once() -> None:
    """In at least 95 % of runs (- 3 standard errors), at each of several looks."""
    runs = 100
    covered = sum(
        all(
            lower <= 0.02 <= upper
            for rows in (np.array(drawn(seed, 400, 0.2, 0.02)),)
            for lower, upper in (interval(rows[:n], 0.05) for n in (50, 200, 400))
        )
        for seed in range(runs)
    )

    assert covered / runs >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs)


def test_the_lower_bound_rises_with_evidence() -> None:
    rows = np.array([0.0] * 95 + [1.0] * 5)

    bounds = [lower_bound(np.tile(rows, times), 0.05) for times in (1, 2, 5)]

    assert bounds == sorted(bounds)
    assert bounds[-1] > 0


def test_the_bootstrap_agrees_with_the_normal_interval_where_that_is_right() -> None:
    rows = np.array(drawn(4, 2_000, 0.2, 0.0))
    reach = 1.96 * rows.std() / math.sqrt(len(rows))

    found = bootstrap_interval(rows, 0.95)

    assert found == pytest.approx((rows.mean() - reach, rows.mean() + reach), abs=0.002)
    assert found == bootstrap_interval(rows, 0.95)
