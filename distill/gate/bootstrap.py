"""The interval that people know: the paired percentile bootstrap over groups. It is shown, and decides nothing."""

from __future__ import annotations

import numpy as np

from distill.gate.bets import Differences

DRAWS = 2_000
_SEED = 20_261_125
_AT_ONCE = 100
_DIGITS = 3
"""Of a difference: enough for an interval, and so few values that it matters little how many rows there are."""


def bootstrap_interval(differences: Differences, level: float) -> tuple[float, float] | None:
    """Of the mean difference; None for less than two groups, where there is nothing to draw from.

    Drawn is how often each value comes, which is the same as drawing rows.
    """
    rows = len(differences)
    if rows < 2:
        return None
    random = np.random.default_rng(_SEED)
    values, counts = np.unique(differences.round(_DIGITS), return_counts=True)
    means = [
        (random.multinomial(rows, counts / rows, size=_AT_ONCE) * values).sum(axis=1) / rows
        for _ in range(DRAWS // _AT_ONCE)
    ]
    lower, upper = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)
