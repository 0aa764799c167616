"""Is memory flat? A line through the floors of the second half: what a process holds when it is done with a piece of
work, however much it took for that."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

QUARTERS = (0.25, 0.5, 0.75, 1.0)
_WINDOWS = 8
_FEWEST = 2 * _WINDOWS


class Memory(NamedTuple):
    """Of one process."""

    at_quarters: tuple[int, ...]
    """Resident bytes at 25, 50, 75 and 100 % of its life."""
    most: int
    growth: float
    """Bytes that the line rises over the second half."""


def memory(at_s: Sequence[float], resident_bytes: Sequence[int]) -> Memory | None:
    """None for a process that was not seen often enough."""
    if len(at_s) < _FEWEST:
        return None
    begin, span = at_s[0], at_s[-1] - at_s[0]
    at_quarters = tuple(_nearest(at_s, resident_bytes, begin + part * span) for part in QUARTERS)
    half = resident_bytes[len(resident_bytes) // 2 :]
    bounds = [len(half) * window // _WINDOWS for window in range(_WINDOWS + 1)]
    floors = [min(half[first:last]) for first, last in pairwise(bounds)]
    slope = statistics.linear_regression(range(_WINDOWS), floors).slope
    return Memory(at_quarters, max(resident_bytes), slope * (_WINDOWS - 1))


def _nearest(at_s: Sequence[float], sizes: Sequence[int], moment: float) -> int:
    return min(zip(at_s, sizes, strict=True), key=lambda pair: abs(pair[0] - moment))[1]
