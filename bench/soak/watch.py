"""What the processes of the proxy hold, looked at all the while: memory, file descriptors, open requests."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from bench.proxy import process
from bench.proxy.failure import BenchFailure
from bench.soak.proxy_process import Proxy

LOOKS = 400
"""In all, however long it takes; not more often than each half second."""


@dataclass
class Watched:
    """One process, from when it was first seen."""

    role: str
    at_s: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)


class Watch:
    """Looks until it is cancelled."""

    def __init__(self, proxy: Proxy) -> None:
        self.processes: dict[int, Watched] = {}
        self.most_open = 0
        self._proxy = proxy
        self._begun = time.monotonic()

    async def run(self, seconds: float) -> None:
        """As many looks as fit into the time."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(max(0.5, seconds / LOOKS))

    def look(self) -> None:
        """Once."""
        at_s = time.monotonic() - self._begun
        for pid, role in self._proxy.processes().items():
            try:
                resident, descriptors = process.resident_bytes(pid), descriptors_of(pid)
            except (BenchFailure, OSError):  # killed since
                continue
            watched = self.processes.setdefault(pid, Watched(role))
            watched.at_s.append(at_s)
            watched.resident_bytes.append(resident)
            watched.descriptors.append(descriptors)
        try:
            self.most_open = max(self.most_open, int(self._proxy.metric("nightschool_open_requests")))
        except httpx.HTTPError:  # the worker that was asked is the one that was killed
            return


def descriptors_of(pid: int) -> int:
    """How many it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def descriptors_by_role(proxy: Proxy) -> dict[str, int]:
    """The most that a process of each role has open now."""
    most: dict[str, int] = {}
    for pid, role in proxy.processes().items():
        most[role] = max(most.get(role, 0), descriptors_of(pid))
    return most


def settled(now: Mapping[str, int], start: Mapping[str, int], *, allowed: int) -> bool:
    """Whether nobody has more open than at the start, and a few."""
    return all(count <= start.get(role, 0) + allowed for role, count in now.items())
