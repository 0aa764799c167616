"""Evidence by betting: how much richer somebody got who bet that a mean is greater than some value.

Against H0: E[d] <= m, one bets a share of one's money on every d from [-1, 1]: the money is multiplied by
1 + bet · (d - m). While H0 holds, no bet makes money grow in expectation; so a fortune of 1/a, at any time one cares to
look, happens with a probability of at most a (Ville). The money is spread evenly over ``BETS`` bets of fixed size, from
cautious to bold (Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024). Since no bet
depends on earlier rows, the fortune after n rows is the same in whatever order they came.
"""

from __future__ import annotations

from math import exp, log

import numpy as np
from numpy.typing import NDArray

BETS = 30
BOLDNESS = (np.arange(BETS) + 0.5) / BETS
"""Of the greatest bet that cannot lose more than there is."""
LEAST_GAIN = 1e-6
"""A row; evidence that grows more slowly goes nowhere."""
_MOST = 690.0
"""e to this is still a number."""
_STEPS = 48

Differences = NDArray[np.float64]


def log_fortune(differences: Differences, mean: float) -> float:
    """The logarithm of what a fortune of 1 has become, by betting on means above ``mean``."""
    return _log_fortune(*np.unique(differences, return_counts=True), mean)


def log_fortunes(differences: Differences, mean: float) -> Differences:
    """The same after each row."""
    bets = BOLDNESS / (1 + mean)
    grown = np.log1p(np.outer(differences - mean, bets)).cumsum(axis=0)  # rows, bets
    greatest = grown.max(axis=1)
    logarithms: Differences = greatest + np.log(np.exp(grown - greatest[:, None]).mean(axis=1))
    return logarithms


def fortune(logarithm: float) -> float:
    """The evidence itself, which may be beyond what a number holds."""
    return exp(min(logarithm, _MOST))


def rows_until(differences: Differences, mean: float, wanted: float) -> float | None:
    """Rows in all until the logarithm is ``wanted``, if every bet goes on to gain as it has; None if none gains."""
    bets = BOLDNESS / (1 + mean)
    if not len(differences):
        return None
    gains = np.log1p(np.outer(differences - mean, bets)).mean(axis=0)
    best = float(gains.max())
    if best <= LEAST_GAIN:
        return None
    # Between the fortune of the best bet if it had all the money, and what it has with its share of it:
    enough, not_enough = (wanted + log(BETS)) / best, 0.0
    for _ in range(_STEPS):
        middle = (enough + not_enough) / 2
        if best * middle + log(np.exp((gains - best) * middle).mean()) >= wanted:
            enough = middle
        else:
            not_enough = middle
    return enough


def interval(differences: Differences, risk: float) -> tuple[float, float]:
    """All means that the bets in either direction have not refuted: right at all times at once, but for ``risk``."""
    if not len(differences):
        return -1.0, 1.0
    return lower_bound(differences, risk / 2), -lower_bound(-differences, risk / 2)


def lower_bound(differences: Differences, risk: float) -> float:
    """The greatest mean that is refuted as too small. What refutes one refutes all below it: halve the rest."""
    values, counts = np.unique(differences, return_counts=True)
    refuted, standing = -1.0, float(differences.mean())
    for _ in range(_STEPS):
        middle = (refuted + standing) / 2
        if middle > -1 and _log_fortune(values, counts, middle) >= log(1 / risk):
            refuted = middle
        else:
            standing = middle
    return refuted


def _log_fortune(values: Differences, counts: NDArray[np.int64], mean: float) -> float:
    """The same for values that came so many times: most scores have few, and a sum over them needs no order."""
    bets = BOLDNESS / (1 + mean)
    grown = (np.log1p(np.outer(bets, values - mean)) * counts).sum(axis=1)
    greatest = float(grown.max())
    return greatest + log(np.exp(grown - greatest).mean())
