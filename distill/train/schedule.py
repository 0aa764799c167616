"""The learning rate over the steps: a short linear start, then half a cosine down to a tenth."""

from __future__ import annotations

import math

LONGEST_WARM_UP_STEPS = 10
WARM_UP_SHARE = 0.05
LAST_SHARE = 0.1
"""Of the highest rate, at the last step."""


def rate_share(step: int, steps: int) -> float:
    """Share of the highest learning rate in ``step``, counted from 0."""
    warm_up = max(1, min(LONGEST_WARM_UP_STEPS, math.ceil(WARM_UP_SHARE * steps)))
    if step < warm_up:
        return (step + 1) / warm_up
    along = (step - warm_up) / max(1, steps - 1 - warm_up)
    return LAST_SHARE + (1 - LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * min(1.0, along)))
