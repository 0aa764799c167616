"""Evidence that a student has become worse than is tolerated, whenever that began.

H0: its mean agreement with the teacher is at least ``bar``. For each of the gate's bets, after each agreement a,

    R = (1 + R) · (1 + bet · (bar - a))

the fortunes of gamblers of whom a new one comes with every answer, each betting one unit on a lower mean. While H0
holds, R grows in expectation by one an answer, so the mean over the bets reaches a threshold A only after A answers on
average at the least, however long one watches; and a student that was good for months and turns bad is found as quickly
as one that was bad from its first day.
(The Shiryaev-Roberts e-detector of Shin, Ramdas & Rinaldo, "E-detectors: a nonparametric framework for sequential
change detection", 2022.)
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

import numpy as np

from distill.gate.bets import BOLDNESS

_HIGHEST_BAR = 0.999
"""A bar of 1 would be broken by any difference at all."""
_ENOUGH = 1e300
SOON = 500
"""Compared answers after which a student that never agrees must have been found, for an audit to be of any use."""


def alarm_evidence(agreements: Iterable[float], bar: float) -> float:
    """The e-detector after these, in their order; 0 before the first. An alarm is a value above the threshold."""
    bar = min(bar, _HIGHEST_BAR)
    if bar <= 0:
        return 0.0
    bets = BOLDNESS / (1 - bar)  # so bold that the best answer loses nearly all
    fortunes = np.zeros_like(bets)
    for agreement in agreements:
        fortunes = np.minimum((1 + fortunes) * (1 + bets * (bar - agreement)), _ENOUGH)
    return float(fortunes.mean())


def can_alarm(bar: float, threshold: float) -> bool:
    """Whether a student that never agrees any more would be found soon, and well before a false alarm is due."""
    return alarm_evidence(repeat(0.0, int(min(SOON, threshold / 2))), bar) >= threshold
