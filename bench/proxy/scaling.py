"""Whether a second worker brings a second worker's worth of throughput.

On few cores the generator runs out before two workers do. What can be shown then is the rate at which the busiest
worker would be full: exchanges per second of *its* CPU time. It falls short of twice the single worker's when an
exchange costs more CPU beside a second worker, or when the kernel spreads connections unevenly.
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
    def full_rate(self) -> float:
        """Exchanges a second at which the busiest worker has no CPU time left."""
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
        """Throughput of two over one: as measured where the generator left room, else of the full rates."""
        pairs = zip(self.one, self.two, strict=True)
        return median(two.rate / one.rate if self.measured else two.full_rate / one.full_rate for one, two in pairs)

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
