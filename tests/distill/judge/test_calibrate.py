"""The correction against its formula, and against a truth that is known."""

from __future__ import annotations

import numpy as np
import pytest

from distill.judge.calibrate import calibrate


def test_too_few_labels_correct_nothing() -> None:
    assert calibrate([1.0] * 49, [1.0] * 49, [0.0] * 500) is None


def test_a_judge_who_is_always_right_narrows_the_interval() -> None:
    chance = np.random.default_rng(1)
    truth = chance.integers(0, 2, 1000).astype(float)

    found = calibrate(truth[:100].tolist(), truth[:100].tolist(), truth[100:].tolist())

    assert found is not None
    assert found.agreement == 1.0
    assert found.lam == pytest.approx(0.9, abs=0.02)  # 1 / (1 + 100 / 900)
    alone = found.labels_only.high - found.labels_only.low
    assert found.corrected.high - found.corrected.low < 0.5 * alone


def test_a_judge_who_guesses_does_not_count() -> None:
    chance = np.random.default_rng(2)
    human, judge = chance.random(2_000), chance.random(20_000)

    found = calibrate(judge[:2_000].tolist(), human.tolist(), judge[2_000:].tolist())

    assert found is not None
    assert found.lam < 0.1
    assert found.corrected.mean == pytest.approx(found.labels_only.mean, abs=0.01)


def test_the_correction_takes_out_a_bias_and_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    """A judge who sees every third loss as a win: 400 times 60 labels of 660 rows."""
    chance = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        human = (chance.random(660) < 0.5).astype(float)
        judge = np.where((human == 0) & (chance.random(660) < 0.33), 1.0, human)
        found = calibrate(judge[:60].tolist(), human[:60].tolist(), judge[60:].tolist())
        assert found is not None
        assert found.raw.mean > 0.58
        held += found.corrected.low <= 0.5 <= found.corrected.high

    assert held / 400 >= 0.92  # 95 %, less three standard errors


def test_it_is_the_formula() -> None:
    judge, human, rest = [0.0, 1.0] * 30, [0.0, 1.0, 1.0, 1.0] * 15, [1.0] * 30 + [0.0] * 10

    found = calibrate(judge, human, rest)

    everything = np.array(judge + rest)
    lam = np.cov(human, judge)[0, 1] / (everything.var(ddof=1) * (1 + 60 / 40))
    assert found is not None
    assert found.lam == pytest.approx(lam)
    assert found.corrected.mean == pytest.approx(lam * 0.75 + np.mean(np.array(human) - lam * np.array(judge)))
