"""Means with what holds them in 95 of 100 cases.

Wilson's interval where all is right or wrong, else a bootstrap over groups, and the rule of three where it has nothing
to draw. They are to look at; the gate decides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
import numpy as np

from distill.gate.bootstrap import bootstrap_interval

_Z = 1.959963984540054
_LEVEL = 0.95


class Interval(msgspec.Struct, frozen=True):
    """A mean with what holds it in 95 of 100 cases; None where there is too little."""

    mean: float
    low: float | None
    high: float | None


def score_interval(means: list[float]) -> tuple[Interval | None, str]:
    """Of scores, and how it came about: ``Wilson`` or ``bootstrap``."""
    if means and all(value in (0.0, 1.0) for value in means):
        return Interval(mean_of(means), *wilson(sum(means), len(means))), "Wilson"
    return interval_of(means, least=0.0), "bootstrap"


def interval_of(values: list[float], *, least: float = -1.0) -> Interval | None:
    """Of values from ``least`` to 1, by a bootstrap; None where there is nothing.

    Where all values are equal there is nothing to draw: others may be 3 in ``n`` (the rule of three), and anywhere.
    """
    if not values:
        return None
    mean = mean_of(values)
    if min(values) == max(values):
        unseen = min(1.0, 3 / len(values))
        return Interval(mean, mean + unseen * (least - mean), mean + unseen * (1.0 - mean))
    found = bootstrap_interval(np.asarray(values, np.float64), _LEVEL) or (None, None)
    return Interval(mean, *found)


def wilson(right: float, count: int) -> tuple[float, float]:
    """95 % interval of a share."""
    share = right / count
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    reach = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return (middle - reach if right > 0 else 0.0), (middle + reach if right < count else 1.0)


def mcnemar(better: int, worse: int) -> float | None:
    """p of the exact test that as many change for the better as for the worse; None where nothing changes."""
    count = better + worse
    if not count:
        return None
    logs = [_log_choose(count, k) - count * math.log(2) for k in range(min(better, worse) + 1)]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def _log_choose(count: int, k: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)


def mean_of(values: Iterable[float]) -> float:
    """0 for nothing."""
    known = list(values)
    return math.fsum(known) / len(known) if known else 0.0
