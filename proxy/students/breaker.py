"""Which replicas are sent nobody for now: a circuit breaker for each, in the memory of one worker.

    closed ── no connection, no first token, or several failures in a row ──► open
    open ── healthy, after a pause ──► on trial: one request at a time
    on trial ── success ──► closed;   failure of any kind ──► open, and the pause doubles

A replica may say that it is healthy and answer nobody; the growing pause keeps that from costing a client its patience
every second. Whoever sends a request says ``began`` and ``ended`` around it, and one of ``failed`` and ``succeeded``
in between; a failure that is no fault of the replica (an answer that cannot be used) is told as ``succeeded``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

AT_ONCE = frozenset({"fallback_connect", "fallback_timeout"})
"""Kinds of failure after which nobody else should wait as long."""
IN_A_ROW = 3
"""Failures of another kind, such as a status of 500, that open it."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 64.0

log = logging.getLogger("nightschool.breaker")


@dataclass(slots=True)
class Breaker:
    """Of one replica."""

    in_flight: int = 0
    failures: int = 0
    """Since the last success."""
    openings: int = 0
    """Since the last success."""
    opened_at: float | None = None
    """None while it is closed or on trial."""

    @property
    def lets_through(self) -> bool:
        on_trial = self.openings > 0
        return self.opened_at is None and not (on_trial and self.in_flight)

    @property
    def pause_s(self) -> float:
        return min(FIRST_PAUSE_S * 2.0 ** min(self.openings - 1, 16), LONGEST_PAUSE_S)


_UNTOUCHED = Breaker()


class Breakers:
    """Of all replicas, by URL; one that was never heard of lets through."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._by_url: dict[str, Breaker] = {}

    def available(self, url: str) -> bool:
        """It may be sent a request."""
        return self._by_url.get(url, _UNTOUCHED).lets_through

    def in_flight(self, url: str) -> int:
        """Requests of this worker that it has not answered in full."""
        return self._by_url.get(url, _UNTOUCHED).in_flight

    def is_open(self, url: str) -> bool:
        return self._by_url.get(url, _UNTOUCHED).opened_at is not None

    def began(self, url: str) -> None:
        self._of(url).in_flight += 1

    def ended(self, url: str) -> None:
        self._of(url).in_flight -= 1

    def succeeded(self, url: str) -> None:
        breaker = self._of(url)
        if breaker.opened_at is None:
            breaker.failures = breaker.openings = 0

    def failed(self, url: str, kind: str) -> None:
        """``kind`` is the reason with which the teacher answers, such as ``fallback_timeout``."""
        breaker = self._of(url)
        breaker.failures += 1
        if breaker.opened_at is not None:
            return
        if kind in AT_ONCE or breaker.openings or breaker.failures >= IN_A_ROW:
            breaker.opened_at = self._now()
            breaker.openings += 1
            log.warning("breaker_opened replica=%s cause=%s pause_s=%g", url, kind, breaker.pause_s)

    def due(self) -> list[str]:
        """Those that are open and whose pause is over: they may be asked for their health."""
        now = self._now()
        return [url for url, each in self._by_url.items() if _is_over(each, now)]

    def healthy(self, url: str) -> None:
        """It says that it is well: on trial."""
        breaker = self._of(url)
        if breaker.opened_at is not None:
            breaker.opened_at = None
            breaker.failures = 0
            log.info("breaker_on_trial replica=%s", url)

    def keep(self, urls: Iterable[str]) -> None:
        """Forget all others, but for those that still have requests."""
        kept = set(urls)
        self._by_url = {url: each for url, each in self._by_url.items() if url in kept or each.in_flight}

    def _of(self, url: str) -> Breaker:
        found = self._by_url.get(url)
        if found is None:
            found = self._by_url[url] = Breaker()
        return found


def _is_over(breaker: Breaker, now: float) -> bool:
    return breaker.opened_at is not None and now - breaker.opened_at >= breaker.pause_s
