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

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from distill.gate.bets import BETS, BOLDNESS

_HIGHEST_BAR = 0.999
"""A bar of 1 would be broken by any difference at all."""
_ENOUGH = 1e300
NO_FORTUNES = (0.0,) * BETS
"""Of the gamblers by bet, before the first answer."""
SOON = 500
"""Compared answers after which a student that never agrees must have been found, for an audit to be of any use."""


def alarm_evidence(agreements: Iterable[float], bar: float) -> float:
    """The e-detector after these, in their order; 0 before the first. An alarm is a value above the threshold."""
    return evidence_in(fortunes_after(NO_FORTUNES, agreements, bar))


def fortunes_after(fortunes: Sequence[float], agreements: Iterable[float], bar: float) -> tuple[float, ...]:
    """What the gamblers of each bet have, who had ``fortunes`` before these; nothing where no bar can be broken."""
    bar = min(bar, _HIGHEST_BAR)
    if bar <= 0:
        return NO_FORTUNES
    bets = BOLDNESS / (1 - bar)  # so bold that the best answer loses nearly all
    grown = np.array(fortunes)
    for agreement in agreements:
        grown = np.minimum((1 + grown) * (1 + bets * (bar - agreement)), _ENOUGH)
    return tuple(grown.tolist())


def evidence_in(fortunes: Sequence[float]) -> float:
    return float(np.mean(fortunes))


def can_alarm(bar: float, threshold: float) -> bool:
    """Whether a student that never agrees any more would be found soon, and well before a false alarm is due."""
    return alarm_evidence(repeat(0.0, int(min(SOON, threshold / 2))), bar) >= threshold
