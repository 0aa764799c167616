"""The interleaved part: in every round each peer carries each load for some seconds, in another order than the round
before.

What a shared machine does to one peer it does to its neighbour a few seconds later, so ratios are taken within a
round and then the median over the rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from bench.proxy import peer as peers
from bench.proxy import traffic
from bench.proxy.failure import BenchFailure
from bench.proxy.generator import Generator
from bench.proxy.peer import Peer


class Load(NamedTuple):
    """What is asked of a peer."""

    name: str
    stream: bool
    connections: int


PLAIN = Load("plain", stream=False, connections=32)
STREAMS = Load("streams", stream=True, connections=32)
MANY_STREAMS = Load("many streams", stream=True, connections=256)
EVENT_GAP_MS = 5.0
STREAM_S = traffic.STREAM_EVENTS * EVENT_GAP_MS / 1000

_LOADS = {
    peers.DIRECT: (STREAMS,),
    peers.NGINX: (STREAMS, MANY_STREAMS, PLAIN),
    peers.NIGHTSCHOOL: (STREAMS, MANY_STREAMS, PLAIN),
}
_LOADS_OF_OTHERS = (STREAMS, PLAIN)


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One peer under one load, once."""

    round: int
    peer: str
    load: str
    exchanges: int
    wall_s: float
    cpu_s: float
    """Of the workers."""
    generator_cpu_s: float
    first_ms: tuple[float, float]
    """Time to the first bytes of the body: median and 99th percentile."""

    @property
    def cpu_per_exchange_s(self) -> float:
        return self.cpu_s / self.exchanges

    @property
    def events(self) -> int:
        """Of a streamed load."""
        return self.exchanges * traffic.STREAM_EVENTS

    @property
    def cpu_per_event_s(self) -> float:
        """Of a streamed load."""
        return self.cpu_s / self.events


def measure(generator: Generator, peer: Peer, load: Load, *, seconds: float, round_number: int) -> Window:
    """Load ``peer`` and read its clocks before and after; every exchange that was begun is finished and counted."""
    workers, own = peer.worker_cpu_s(), generator.cpu_s()
    ramp_s = STREAM_S if load.stream else 0.0
    job = peer.job(stream=load.stream, connections=load.connections, seconds=seconds, ramp_s=ramp_s)
    [outcome] = generator.run(job)
    cpu_s, generator_cpu_s = peer.worker_cpu_s() - workers, generator.cpu_s() - own
    peer.rest()
    return Window(
        round=round_number,
        peer=peer.name,
        load=load.name,
        exchanges=outcome.exchanges,
        wall_s=outcome.wall_s,
        cpu_s=cpu_s,
        generator_cpu_s=generator_cpu_s,
        first_ms=outcome.first_ms,
    )


class Interleaved:
    """All rounds over peers that run side by side; a peer that fails is dropped, unless without it nothing is worth
    measuring."""

    def __init__(self, generator: Generator, running: Sequence[Peer], *, say: Callable[[str], None]) -> None:
        self.running = list(running)
        self.failed: dict[str, str] = {}
        """Peers that were dropped, and why; what was measured of them is worth nothing."""
        self._generator = generator
        self._say = say

    def warm_up(self) -> None:
        """A second of each load for everybody."""
        for peer in tuple(self.running):
            self._say(f"warming up {peer.name}")
            for load in (PLAIN, STREAMS):
                if peer in self.running:
                    self._measure(peer, load, seconds=1.0, round_number=0)

    def windows(self, *, rounds: int, seconds: float) -> Iterator[Window]:
        """In every round the peers take another order."""
        for number in range(1, rounds + 1):
            turn = (number - 1) % len(self.running)
            order = (*self.running[turn:], *self.running[:turn])
            for place, peer in enumerate(order, start=1):
                yield from self._one_turn(peer, rounds=rounds, seconds=seconds, round_number=number)
                if number * place < rounds * len(order) and peer in self.running:
                    peer.settle()  # so that the next one has the machine for itself

    def _one_turn(self, peer: Peer, *, rounds: int, seconds: float, round_number: int) -> Iterator[Window]:
        for load in _LOADS.get(peer.name, _LOADS_OF_OTHERS):
            if peer in self.running:
                self._say(f"round {round_number} of {rounds}: {peer.name}, {load.name}")
                yield from self._measure(peer, load, seconds=seconds, round_number=round_number)

    def _measure(self, peer: Peer, load: Load, *, seconds: float, round_number: int) -> list[Window]:
        try:
            return [measure(self._generator, peer, load, seconds=seconds, round_number=round_number)]
        except BenchFailure as failure:
            if peer.name in (peers.DIRECT, peers.NIGHTSCHOOL):
                raise
            self.failed[peer.name] = f"failed at {load.name}: {failure}"
            self.running.remove(peer)
            return []
