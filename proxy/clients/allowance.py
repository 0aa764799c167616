"""How often a client may ask: a token bucket that all workers of a proxy draw from without a lock.

The bucket is kept as the moment at which it is full again: a request moves it one interval later, and passes while it
lies no further ahead than the bucket is deep (the "virtual scheduling" form of the leaky bucket, ITU-T I.371).

Each worker writes three numbers in its own place: how many requests it has let pass, the moment as it saw it last, and
how many requests of all workers that moment accounts for. Who decides takes the latest moment of all and adds the
requests that are missing in it, so none is ever lost; what two workers let pass in the same microseconds is made up for
by the next decision. Hence over any time t, with N workers, at most ``rate * t + burst + N - 1`` pass.
"""

from __future__ import annotations

import logging

from proxy.clients.places import Places, own_doubles

BURST_S = 10.0
"""So many seconds' worth may come at once."""
_NUMBERS = 3
_PASSED, _FULL_AT, _ACCOUNTED = range(_NUMBERS)
_JUST = 1e-9
"""Seconds; less than that is an error of rounding."""

log = logging.getLogger("nightschool.clients")


class Allowance:
    """Of one client. ``time.monotonic()``, which is the same for all processes of a machine, is its clock."""

    def __init__(self, places: Places, name: str, per_minute: int) -> None:
        self.per_minute = per_minute
        try:
            self._view = places.doubles(f"{name}.allowance", _NUMBERS)
            self._mine = 1 + _NUMBERS * places.number
        except OSError as error:
            log.error("allowance_not_shared client=%s cause=%r; each worker counts for itself", name, str(error))
            self._view, self._mine = own_doubles(_NUMBERS), 1
        self._interval_s = 60.0 / per_minute
        self.burst = max(1, int(per_minute * BURST_S / 60.0))
        """Requests that may come at once."""

    def take(self, now: float) -> float:
        """0 for a request that may pass, which is thereby counted; else the seconds until one may."""
        full_at, passed = self.look(now)
        wait_s = full_at - now - (self.burst - 1) * self._interval_s
        if wait_s > _JUST:
            return wait_s
        self.note(full_at, passed)
        return 0.0

    def look(self, now: float) -> tuple[float, float]:
        """When the bucket is full again, and the number of requests of all workers that this accounts for."""
        values = self._view[1 : 1 + _NUMBERS * int(self._view[0])].tolist()
        passed, moments = sum(values[_PASSED::_NUMBERS]), values[_FULL_AT::_NUMBERS]
        full_at = max(moments)
        accounted = values[_NUMBERS * moments.index(full_at) + _ACCOUNTED]
        missing = max(0.0, passed - accounted)
        return max(now, full_at + missing * self._interval_s), max(passed, accounted)

    def note(self, full_at: float, passed: float) -> None:
        """One more has passed. In this order others may see it half written: then they count it twice, never not."""
        view, mine = self._view, self._mine
        view[mine + _PASSED] += 1.0
        view[mine + _FULL_AT] = full_at + self._interval_s
        view[mine + _ACCOUNTED] = passed + 1.0
