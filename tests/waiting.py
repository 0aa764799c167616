"""Waiting for something to become true, with a deadline instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_S = 20.0


def until(fact: Callable[[], object], *, within_s: float = DEADLINE_S, what: str = "") -> None:
    """Return once ``fact()`` is true; fail when it is not within the deadline."""
    deadline = time.monotonic() + within_s
    while not fact():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {within_s} s: {what or fact}")
        time.sleep(0.005)
