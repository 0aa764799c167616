"""Is memory flat? A line through the second half of what was seen, beside what goes up and down anyway."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

ALLOWED_BYTES = 4 << 20
"""Growth that is none: a new size of some table, a page here and there."""
QUARTERS = (0.25, 0.5, 0.75, 1.0)
_FEWEST = 8


class Memory(NamedTuple):
    """Of one process."""

    at_quarters: tuple[int, ...]
    """Resident bytes at 25, 50, 75 and 100 % of its life."""
    growth: float
    """Bytes that the line rises over the second half."""
    noise: float
    """What it may rise: ``ALLOWED_BYTES``, or twice the middle half of the distances from the line."""

    @property
    def flat(self) -> bool:
        return self.growth <= self.noise


def memory(at_s: Sequence[float], resident_bytes: Sequence[int]) -> Memory | None:
    """None for a process that was not seen often enough."""
    if len(at_s) < _FEWEST:
        return None
    begin, span = at_s[0], at_s[-1] - at_s[0]
    at_quarters = tuple(_nearest(at_s, resident_bytes, begin + part * span) for part in QUARTERS)
    half = [(at, size) for at, size in zip(at_s, resident_bytes, strict=True) if at >= begin + span / 2]
    times, sizes = zip(*half, strict=True)
    line = statistics.linear_regression(times, sizes)
    distances = [size - line.slope * at - line.intercept for at, size in half]
    low, _, high = statistics.quantiles(distances, n=4)
    return Memory(at_quarters, line.slope * (times[-1] - times[0]), max(ALLOWED_BYTES, 2 * (high - low)))


def _nearest(at_s: Sequence[float], sizes: Sequence[int], moment: float) -> int:
    return min(zip(at_s, sizes, strict=True), key=lambda pair: abs(pair[0] - moment))[1]
