"""When which fault comes: pure, and the same for the same seed and length."""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

Fault = Literal[
    "good reload",
    "bad reload",
    "student changes",
    "import and merge",
    "teacher frozen",
    "student frozen",
    "student killed",
    "worker killed",
    "recorder killed",
]
EVERY_S: dict[Fault, float] = {
    "good reload": 30.0,
    "bad reload": 45.0,
    "student changes": 12.0,
    "import and merge": 30.0,
    "teacher frozen": 75.0,
    "student frozen": 90.0,
    "student killed": 90.0,
}
"""About how often; each comes once at least."""
ONCE: dict[Fault, float] = {"worker killed": 0.2, "recorder killed": 0.3}
"""At which part of the time: early, since what replaces them is to be watched for long."""
_FIRST, _LAST = 0.1, 0.9
"""Parts of the time between which faults come."""


class Due(NamedTuple):
    at_s: float
    fault: Fault


def schedule(seconds: float, seed: int) -> list[Due]:
    """All faults of a soak of that length, in their order."""
    roll = random.Random(seed)
    due = [Due(part * seconds, fault) for fault, part in ONCE.items()]
    for fault, every_s in EVERY_S.items():
        count = max(1, round(seconds / every_s))
        due += [Due(roll.uniform(_FIRST, _LAST) * seconds, fault) for _ in range(count)]
    return sorted(due)
