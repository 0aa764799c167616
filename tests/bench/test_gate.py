"""The simulation judges by the gate's own rule, and its students are what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.gate import (
    GOOD,
    PARTIAL,
    WHOLE,
    WORSE,
    Cell,
    candidate_like,
    false_promotions,
    log_fortunes_of,
    promoted_by_rows,
)
from distill.gate.bets import log_fortune


@pytest.mark.parametrize("cell", [*WORSE, *GOOD])
def test_students_have_the_mean_and_the_discordance_of_their_cell(cell: Cell) -> None:
    assert cell.shares.min() >= 0
    assert cell.shares.sum() == pytest.approx(1)
    assert cell.shares @ cell.values == pytest.approx(cell.difference)
    assert cell.shares[:-1].sum() == pytest.approx(cell.discordance)


@pytest.mark.parametrize("values", [WHOLE, PARTIAL])
def test_the_evidence_by_counts_is_that_of_the_gate(values: NDArray[np.float64]) -> None:
    counts = np.random.default_rng(1).multinomial(500, np.full(len(values), 1 / len(values)), size=3)

    found = log_fortunes_of(counts, values, -0.03)

    assert found == pytest.approx([log_fortune(np.repeat(values, of), -0.03) for of in counts])


def test_a_candidate_like_another_keeps_results_and_shares() -> None:
    random = np.random.default_rng(2)
    cell = WORSE[-2]
    one = random.multinomial(600, cell.shares, size=20_000)

    other = candidate_like(one, 0.7, cell.shares, random)

    assert (other.sum(axis=1) == 600).all()
    assert other.mean(axis=0) / 600 == pytest.approx(cell.shares, abs=0.001)
    assert np.corrcoef(one[:, 0], other[:, 0])[0, 1] == pytest.approx(0.7, abs=0.03)


def test_the_gate_keeps_its_budget_where_the_usual_rules_do_not() -> None:
    gate, win_rate, z_test = false_promotions(Cell(0.10, 0.03, -0.03), 0.7, 1_000, np.random.default_rng(3))

    assert gate <= 0.05
    assert win_rate > 0.5
    assert z_test > 0.5


@pytest.mark.parametrize("cell", [cell for cell in GOOD if cell.target])
def test_good_students_are_promoted_within_the_rows_that_are_the_target(cell: Cell) -> None:
    promoted = promoted_by_rows(cell, 500, np.random.default_rng(4))

    assert promoted[900 // 20 - 1] > 0.5
    assert not math.isnan(promoted.sum())
