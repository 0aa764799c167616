"""The interval that people know: the paired percentile bootstrap over groups. It is shown, and decides nothing."""

from __future__ import annotations

import numpy as np

from distill.gate.bets import Differences

DRAWS = 2_000
_SEED = 20_261_125
_AT_ONCE = 200


def bootstrap_interval(differences: Differences, level: float) -> tuple[float, float] | None:
    """Of the mean difference; None for less than two groups, where there is nothing to draw from."""
    if len(differences) < 2:
        return None
    random = np.random.default_rng(_SEED)
    count = len(differences)
    means = np.concatenate(
        [differences[random.integers(0, count, (_AT_ONCE, count))].mean(axis=1) for _ in range(DRAWS // _AT_ONCE)]
    )
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)
