"""Passwords that were wrong: after a few, an address has to wait; after many, everybody has."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

OF_ONE = 5
OF_ALL = 50
WITHIN_S = 300.0
_MOST_ADDRESSES = 10_000


class Attempts:
    """Within the last five minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all: deque[float] = deque()
        self._by_address: dict[str, deque[float]] = {}

    def wait_s(self, address: str) -> float:
        """Seconds until this address may try; 0 is now."""
        now = self._clock()
        limits = ((self._all, OF_ALL), (self._by_address.get(address, deque()), OF_ONE))
        for times, _ in limits:
            while times and now - times[0] >= WITHIN_S:
                times.popleft()
        return max((times[-most] + WITHIN_S - now for times, most in limits if len(times) >= most), default=0.0)

    def failed(self, address: str) -> None:
        if len(self._by_address) >= _MOST_ADDRESSES:
            self._by_address.clear()  # the limit for all of them still holds
        now = self._clock()
        self._all.append(now)
        self._by_address.setdefault(address, deque()).append(now)

    def succeeded(self, address: str) -> None:
        self._by_address.pop(address, None)
