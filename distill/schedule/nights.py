"""Nights that are to begin: those that were interrupted, and those whose time has come.

    interrupted + due -> not begun yet, and run by nobody -> begin -> ended: served

A night is served when it has come to its end. One that still waited, or was killed with its scheduler, is due again
at the next start; `nightschool distill` goes on where it was.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from distill.night.standing import is_running, standing_nights
from distill.schedule.due import due, known, read_served, write_served


class Nights:
    """Of one data folder, from the start of its scheduler. Threads may share it."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._served = read_served(data)
        self._interrupted = _standing(data)
        self._begun: dict[str, datetime] = {}
        """Those that wait or run, and when they were told."""
        self._lock = threading.Lock()

    def to_begin(self, schedules: Mapping[str, str], now: datetime) -> list[str]:
        """Workloads whose night is to begin; each is told once, until it has ended.

        One that somebody else still runs, by hand or on the way out of a scheduler that was killed, is told later.
        """
        with self._lock:
            self._serve(known(schedules, self._served, now))
            if self._interrupted:
                self._interrupted &= _standing(self._data)  # one that came to its end is none any more
            wanted = {
                *self._interrupted,
                *(name for name, line in schedules.items() if due(line, self._served[name], now)),
            }
            found = [name for name in sorted(wanted - self._begun.keys()) if not is_running(self._data, name)]
            self._begun |= dict.fromkeys(found, now)
            self._interrupted -= self._begun.keys()
            return found

    def ended(self, workload: str) -> None:
        """It has come to its end, good or bad: it serves every time up to the moment when it was told."""
        with self._lock:
            told = self._begun.pop(workload)
            if workload in self._served:
                self._serve({**self._served, workload: max(self._served[workload], told)})

    def _serve(self, served: dict[str, datetime]) -> None:
        if served == self._served:
            return
        self._served = served  # first: what a full disk does not keep begins no night every second
        write_served(self._data, served)


def _standing(data: Path) -> set[str]:
    """Workloads whose night runs, or was killed."""
    return {standing.workload for standing in standing_nights(data)}
