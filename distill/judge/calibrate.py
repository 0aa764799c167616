"""Verdicts of a judge, and people's labels for some of the same rows -> what people would have said of all of them.

Prediction-powered inference (PPI++: Angelopoulos, Duchi, Zrnic, "PPI++: Efficient prediction-powered inference", 2023):

    theta = lam * mean(judge, unlabelled) + mean(human - lam * judge, labelled)
    lam   = Cov(human, judge) / (Var(judge) * (1 + n / N))         n labelled rows, N unlabelled ones

A judge that knows nothing of what people think gets lam = 0, and the labels alone speak. It holds where the labelled
rows are a random part of all rows; labels that were written where something looked wrong are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

FEWEST = 50
"""Labelled rows that a correction needs."""
_Z = 1.959963984540054


class Estimate(msgspec.Struct, frozen=True):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge says, and what labels make of it."""

    raw: Estimate
    """The judge's mean over all rows."""
    corrected: Estimate
    labels_only: Estimate
    lam: float
    """How much the judge counts."""
    labelled: int
    unlabelled: int
    agreement: float
    """Share of labelled rows on which judge and label say the same."""


def calibrate(judge: Sequence[float], human: Sequence[float], unlabelled: Sequence[float]) -> Calibration | None:
    """``judge`` and ``human`` are about the same labelled rows; None where they, or the others, are too few."""
    if len(judge) != len(human):
        raise ValueError(f"{len(judge)} verdicts, but {len(human)} labels")
    if len(human) < FEWEST or len(unlabelled) < 2:
        return None
    said, right, rest = (np.asarray(values, np.float64) for values in (judge, human, unlabelled))
    everything = np.concatenate([said, rest])
    n, more = len(right), len(rest)
    variance = float(everything.var(ddof=1))
    covariance = float(np.cov(right, said, ddof=1)[0, 1])
    lam = covariance / (variance * (1 + n / more)) if variance > 0 else 0.0
    lam = min(max(lam, 0.0), 1.0)
    rectified = right - lam * said
    theta = lam * float(rest.mean()) + float(rectified.mean())
    error = math.sqrt(lam**2 * float(rest.var(ddof=1)) / more + float(rectified.var(ddof=1)) / n)
    return Calibration(
        raw=_mean(everything),
        corrected=Estimate(theta, theta - _Z * error, theta + _Z * error),
        labels_only=_mean(right),
        lam=lam,
        labelled=n,
        unlabelled=more,
        agreement=float((said == right).mean()),
    )


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Estimate:
    mean = float(values.mean())
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return Estimate(mean, mean - _Z * error, mean + _Z * error)
