"""1 to 1,000 open streams on one worker: its CPU time for each event, and what it holds in memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.growth.curve import Curve
from bench.proxy import nightschool, process, traffic
from bench.proxy.cores import divide
from bench.proxy.failure import BenchFailure
from bench.proxy.generator import Generator, Upstream
from bench.proxy.peer import Peer

LEVELS = (1, 3, 10, 32, 100, 316, 1000)
GAP_MS = 100.0
"""Between two events of a stream."""
ROUNDS = 4
"""Streams that follow one another on each connection; fewer where many run at once."""
FEW = 32
_IDLE_S = 4.0
_LOOK_S = 0.1


class Level(NamedTuple):
    """So many streams at once."""

    streams: int
    cpu_us: float
    """For each event, its share of the request included; what an idle worker uses is taken off."""
    resident_bytes: int
    """The most while all were open."""


def curves(folder: Path, say: Callable[[str], None], levels: Sequence[int] = LEVELS) -> list[Curve]:
    """Ascending, on a worker that has done nothing before."""
    with ExitStack() as stack:
        cores = divide()
        upstream = Upstream(stack, cores=cores.load, folder=folder)
        generator = Generator(stack, cores=cores.load, folder=folder)
        peer = nightschool.start(stack, upstream_port=upstream.port, cores=cores, folder=folder / "streams")
        peer.settle()
        upstream.pace(GAP_MS)
        idle_bytes, idle_cpu = process.resident_bytes(peer.workers[0]), _idle_cpu(peer)
        found = []
        for streams in levels:
            say(f"{streams:,} open streams")
            found.append(_level(generator, upstream, peer, streams, idle_cpu))
            peer.rest()
    return _as_curves(found, idle_bytes)


def _level(generator: Generator, upstream: Upstream, peer: Peer, streams: int, idle_cpu: float) -> Level:
    exchanges = streams * (ROUNDS if streams < FEW else 2)
    before, begun = peer.worker_cpu_s(), time.monotonic()
    generator.begin(peer.job(stream=True, connections=streams, exchanges=exchanges, ramp_s=GAP_MS / 1000))
    most = _most_resident(upstream, peer, streams)
    generator.finish()
    used = peer.worker_cpu_s() - before - idle_cpu * (time.monotonic() - begun)
    return Level(streams, max(used, 1e-9) / exchanges / traffic.STREAM_EVENTS * 1e6, most)


def _most_resident(upstream: Upstream, peer: Peer, streams: int) -> int:
    """While all of them are open for the first time."""
    end = time.monotonic() + 30
    while upstream.open_streams() < streams:
        if time.monotonic() > end:
            raise BenchFailure(f"never were {streams} streams open at once")
        time.sleep(_LOOK_S / 10)
    most = 0
    while upstream.open_streams() >= streams:
        most = max(most, process.resident_bytes(peer.workers[0]))
        time.sleep(_LOOK_S)
    return most or process.resident_bytes(peer.workers[0])


def _idle_cpu(peer: Peer) -> float:
    """Seconds of CPU that a worker uses in a second with nothing to do."""
    before = peer.worker_cpu_s()
    time.sleep(_IDLE_S)
    return (peer.worker_cpu_s() - before) / _IDLE_S


def _as_curves(levels: Sequence[Level], idle_bytes: int) -> list[Curve]:
    mib = [(float(each.streams), each.resident_bytes / 2**20) for each in levels]
    # Below that a page more or less decides.
    held = [
        (float(each.streams), max(each.resident_bytes - idle_bytes, 4096) / each.streams / 1024)
        for each in levels
        if each.streams >= FEW or each is levels[-1]
    ]
    per_event = [(float(each.streams), each.cpu_us) for each in levels]
    common = {"part": "streams", "over": "open streams"}
    return [
        Curve(**common, what="CPU of a worker for an event", unit="µs", expected=0.0, points=per_event),
        Curve(**common, what="resident memory of a worker", unit="MiB", expected=1.0, points=mib),
        Curve(**common, what="memory above idle, a stream", unit="KiB", expected=0.0, points=held),
    ]
