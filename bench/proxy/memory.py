"""What nightschool keeps in memory, over many exchanges and with many streams open at once, and what sealing costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from bench.proxy import process
from bench.proxy.failure import BenchFailure
from bench.proxy.generator import Generator, Upstream
from bench.proxy.peer import Peer
from bench.proxy.rounds import EVENT_GAP_MS

STEP = 10_000
OPEN_STREAMS = 1_000
STREAMED = STEP // 10
_OPEN_WITHIN_S = 30.0
_STANDING_GAP_MS = 10_000.0  # so slow that no peer is kept from opening the next stream
_STANDING_RAMP_S = 10.0
_STANDING_PATIENCE_S = 15.0


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Resident bytes of a fresh worker after each ``STEP`` exchanges, a tenth of them streamed."""

    resident_bytes: list[int]
    exchanges: int
    cpu_s: dict[str, float]
    """CPU time used for them, by what the process does, until the last one had been sealed."""

    @property
    def deviation(self) -> float:
        """The largest relative distance of a later reading from the first."""
        first, *later = self.resident_bytes
        return max((size / first - 1 for size in later), key=abs, default=0.0)


class OpenStreams(msgspec.Struct, frozen=True, kw_only=True):
    """Largest resident sizes seen while ``OPEN_STREAMS`` streams were open."""

    worker_bytes: int
    beside_bytes: dict[str, int]
    exchanges: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A peer while as many streams as it takes are open at once."""

    peer: str
    streams: int
    """``OPEN_STREAMS`` were wanted."""
    workers_bytes: int
    all_bytes: int
    """Its other processes included."""


class Sizes(NamedTuple):
    """Resident bytes now."""

    worker: int
    beside: dict[str, int]


def growth(generator: Generator, upstream: Upstream, peer: Peer, *, steps: int, say: Callable[[str], None]) -> Growth:
    """Drive ``steps`` times ``STEP`` exchanges through a worker that has done none, and weigh it after each."""
    readings: list[int] = []
    before = _cpu_s(peer)
    upstream.pace(0)
    try:
        for step in range(1, steps + 1):
            plain = peer.job(stream=False, connections=32, exchanges=STEP - STREAMED)
            streamed = peer.job(stream=True, connections=32, exchanges=STREAMED)
            generator.run(plain, streamed)
            readings.append(_sizes(peer).worker)
            say(f"memory after {step * STEP} exchanges: {readings[-1] >> 20} MiB")
    finally:
        upstream.pace(EVENT_GAP_MS)
    peer.settle()
    used = {role: after - before[role] for role, after in _cpu_s(peer).items()}
    return Growth(resident_bytes=readings, exchanges=steps * STEP, cpu_s=used)


def with_open_streams(generator: Generator, upstream: Upstream, peer: Peer, *, gap_ms: float) -> OpenStreams:
    """Open all streams, slow ones, and weigh the processes while every one of them is running."""
    upstream.pace(gap_ms)
    try:
        generator.begin(peer.job(stream=True, connections=OPEN_STREAMS, exchanges=OPEN_STREAMS, ramp_s=1.0))
        seen = list(_while_all_are_open(upstream, peer))
        outcomes = generator.finish()
    finally:
        upstream.pace(EVENT_GAP_MS)
    peer.rest()
    if not seen:
        raise BenchFailure(f"never were {OPEN_STREAMS} streams open at once")
    return OpenStreams(
        worker_bytes=max(size.worker for size in seen),
        beside_bytes={role: max(size.beside[role] for size in seen) for role in peer.beside},
        exchanges=sum(outcome.exchanges for outcome in outcomes),
    )


def standing(generator: Generator, upstream: Upstream, peer: Peer) -> Standing:
    """Open streams that hardly ever say anything, and weigh the peer when no more of them begin.

    They are left open: whoever calls ends the peer and the generator, which has waited for nothing then.
    """
    upstream.pace(_STANDING_GAP_MS)
    try:
        job = peer.job(stream=True, connections=OPEN_STREAMS, exchanges=OPEN_STREAMS, ramp_s=_STANDING_RAMP_S)
        generator.begin(job)
        streams = _until_no_more_begin(upstream)
        workers = sum(process.resident_bytes(pid) for pid in peer.workers)
        beside = sum(process.resident_bytes(pid) for pid in peer.beside.values())
    finally:
        upstream.pace(EVENT_GAP_MS)
    return Standing(peer=peer.name, streams=streams, workers_bytes=workers, all_bytes=workers + beside)


def _until_no_more_begin(upstream: Upstream) -> int:
    most, grew = 0, time.monotonic()
    while most < OPEN_STREAMS and time.monotonic() - grew < _STANDING_PATIENCE_S:
        if (now := upstream.open_streams()) > most:
            most, grew = now, time.monotonic()
        time.sleep(0.2)
    time.sleep(1.0)  # the answers' heads are on their way through the peer
    return most


def _while_all_are_open(upstream: Upstream, peer: Peer) -> Iterator[Sizes]:
    """Readings from when the last stream has begun until the first one ends."""
    end = time.monotonic() + _OPEN_WITHIN_S
    while upstream.open_streams() < OPEN_STREAMS and time.monotonic() < end:
        time.sleep(0.05)
    while upstream.open_streams() == OPEN_STREAMS:
        yield _sizes(peer)
        time.sleep(0.2)


def _sizes(peer: Peer) -> Sizes:
    [worker] = peer.workers
    return Sizes(
        process.resident_bytes(worker), {role: process.resident_bytes(pid) for role, pid in peer.beside.items()}
    )


def _cpu_s(peer: Peer) -> dict[str, float]:
    return {"worker": peer.worker_cpu_s(), **peer.beside_cpu_s()}
