"""A curve: what something costs at several sizes, and how steeply that rises."""

from __future__ import annotations

import math
import statistics

import msgspec

TOLERANCE = 0.15
"""Of an exponent: less than this is noise."""


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Points in the order of their sizes."""

    part: str
    """Of the bench: ``streams``, ``store``, ``workloads`` or ``adapters``."""
    what: str
    over: str
    """What grows."""
    unit: str
    expected: float
    """The exponent that its algorithm should have, at most."""
    points: list[tuple[float, float]]

    @property
    def exponent(self) -> float:
        """Of the upper half."""
        upper = self.points[len(self.points) // 2 :]
        if len(upper) < 2:
            upper = self.points
        sizes = [math.log(size) for size, _ in upper]
        costs = [math.log(cost) for _, cost in upper]
        return statistics.linear_regression(sizes, costs).slope

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.exponent > 1 + TOLERANCE:
            return "WORSE THAN LINEAR"
        return "worse than expected" if self.exponent > self.expected + TOLERANCE else "as expected"
