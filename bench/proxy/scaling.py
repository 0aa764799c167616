"""Whether a second worker brings a second worker's worth of throughput.

On few cores the generator runs out before two workers do, and the worker that shares its core with the generator gets
less of the work. What can be shown then is what the workers would do with a core each: exchanges per second of CPU
time, times workers. It falls short of twice the single worker's when an exchange costs more beside a second worker. How
unevenly the kernel spreads connections is not in it: clients that wait for their answers keep both workers full. Where
traffic comes at a rate of its own, the busiest worker is full first; at which rate, is told beside.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import msgspec

from bench.proxy import process
from bench.proxy.generator import Generator
from bench.proxy.peer import Peer

CONNECTIONS = 256
_FULL = 0.9


class WorkersRun(msgspec.Struct, frozen=True, kw_only=True):
    """One window with one or more workers."""

    exchanges: int
    wall_s: float
    cpu_s: list[float]
    """By worker."""

    @property
    def rate(self) -> float:
        """Exchanges a second, as it was."""
        return self.exchanges / self.wall_s

    @property
    def capacity(self) -> float:
        """Exchanges a second of workers that have a core each, and enough to do."""
        return len(self.cpu_s) * self.exchanges / sum(self.cpu_s)

    @property
    def busiest_full(self) -> float:
        """Exchanges a second at which the busiest worker has no CPU time left, with the shares as they were."""
        return self.exchanges / max(self.cpu_s)

    @property
    def is_full(self) -> bool:
        """Whether every worker was busy all the time, so that ``rate`` is the limit itself."""
        return min(self.cpu_s) >= _FULL * self.wall_s


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """Windows with one worker and with two, in turn."""

    one: list[WorkersRun]
    two: list[WorkersRun]

    @property
    def measured(self) -> bool:
        """Whether the generator kept both workers busy."""
        return all(run.is_full for run in (*self.one, *self.two))

    @property
    def ratio(self) -> float:
        """Throughput of two over one: as measured where the generator left room, else the capacities."""
        pairs = zip(self.one, self.two, strict=True)
        return median(two.rate / one.rate if self.measured else two.capacity / one.capacity for one, two in pairs)

    @property
    def busiest_ratio(self) -> float:
        """The same until the busiest of two is full."""
        return median(two.busiest_full / one.busiest_full for one, two in zip(self.one, self.two, strict=True))

    @property
    def busiest_share(self) -> float:
        """Of the two workers' CPU time, the part of the busier one."""
        return median(max(run.cpu_s) / sum(run.cpu_s) for run in self.two)


def compare(
    generator: Generator, one: Peer, two: Peer, *, rounds: int, seconds: float, say: Callable[[str], None]
) -> Scaling:
    """Alternate between a proxy with one worker and another with two."""
    runs: dict[str, list[WorkersRun]] = {"one": [], "two": []}
    for number in range(1, rounds + 1):
        for name, peer in (("one", one), ("two", two)):
            say(f"{name} worker{'s' if name == 'two' else ''}, {number} of {rounds}")
            runs[name].append(_run(generator, peer, seconds))
    return Scaling(one=runs["one"], two=runs["two"])


def _run(generator: Generator, peer: Peer, seconds: float) -> WorkersRun:
    before = [process.cpu_s(pid) for pid in peer.workers]
    [outcome] = generator.run(peer.job(stream=False, connections=CONNECTIONS, seconds=seconds))
    after = [process.cpu_s(pid) for pid in peer.workers]
    peer.rest()
    used = [end - begin for begin, end in zip(before, after, strict=True)]
    return WorkersRun(exchanges=outcome.exchanges, wall_s=outcome.wall_s, cpu_s=used)
