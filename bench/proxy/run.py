"""One run of the bench.

rounds beside the peers -> memory of a fresh proxy -> one worker beside two -> memory of every peer with open streams
-> records lost -> how much of it all was recorded
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.proxy import losses, machine, memory, nightschool, probe, rounds, scaling
from bench.proxy.cores import divide
from bench.proxy.failure import BenchFailure, PeerMissing
from bench.proxy.generator import Generator, Upstream
from bench.proxy.peer import Peer
from bench.proxy.results import Results
from bench.proxy.starters import NAMES, OURS, STARTS, Place

PARTS = ("rounds", "memory", "scaling")
"""What the targets speak of."""
BESIDE = ("standing", "losses")
"""What is measured of everybody, where more peers than nginx and LiteLLM are asked for."""


class Plan(NamedTuple):
    """How long to measure, and whom to leave out."""

    rounds: int
    seconds: float
    memory_steps: int
    stream_gap_ms: float
    """Between two events while memory is read with all streams open."""
    scaling_rounds: int
    loss_rounds: int
    """Times that each peer that records is killed, and ended."""
    peers: tuple[str, ...]
    """Beside nightschool, of ``starters.STARTS``."""
    skip: frozenset[str]
    parts: frozenset[str]
    """Of ``PARTS`` and ``BESIDE``."""


def measure_all(stack: ExitStack, plan: Plan, *, folder: Path, root: Path) -> Results:
    """Measure everything; what is started is ended by ``stack`` at the latest."""
    bench = _Bench(stack, plan, folder, root)
    if "rounds" in plan.parts:
        bench.rounds()
    if "memory" in plan.parts:
        bench.memory()
    if "scaling" in plan.parts and bench.results.machine.cores > 1:
        bench.scaling()
    if "standing" in plan.parts:
        bench.standing()
    if "losses" in plan.parts:
        bench.losses()
    return bench.results


class _Bench:
    """The processes that all parts share, and what has been measured so far."""

    def __init__(self, stack: ExitStack, plan: Plan, folder: Path, root: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._cores = divide()
        self._upstream = Upstream(stack, cores=self._cores.load, folder=folder)
        self._generator = Generator(stack, cores=self._cores.load, folder=folder)
        self._place = Place(self._upstream.port, self._cores, root)
        self._begun = time.monotonic()
        self.results = Results(machine=machine.describe(self._cores))

    def rounds(self) -> None:
        """The peers, side by side."""
        with ExitStack() as stack:
            ours = self._nightschool(stack, "rounds")
            running = [self._upstream.as_peer(), *self._others(stack), ours]
            self.results.versions |= {each.name: each.version for each in running if each.version}
            plan = self._plan
            interleaved = rounds.Interleaved(self._generator, running, say=self._say)
            interleaved.warm_up()
            self.results.windows.extend(interleaved.windows(rounds=plan.rounds, seconds=plan.seconds))
            for name, why in interleaved.failed.items():
                self.results.drop(name, why)
            self._tally(ours, "rounds")

    def memory(self) -> None:
        """A worker that has done nothing yet."""
        with ExitStack() as stack:
            ours = self._nightschool(stack, "memory")
            steps, gap_ms = self._plan.memory_steps, self._plan.stream_gap_ms
            self.results.growth = memory.growth(self._generator, self._upstream, ours, steps=steps, say=self._say)
            self._say(f"memory with {memory.OPEN_STREAMS} open streams")
            self.results.open_streams = memory.with_open_streams(self._generator, self._upstream, ours, gap_ms=gap_ms)
            self._tally(ours, "memory")

    def scaling(self) -> None:
        """One worker and two, in turn."""
        with ExitStack() as stack:
            one = self._nightschool(stack, "one-worker")
            two = self._nightschool(stack, "two-workers", workers=2)
            plan = self._plan
            self.results.scaling = scaling.compare(
                self._generator, one, two, rounds=plan.scaling_rounds, seconds=plan.seconds, say=self._say
            )
            self._tally(one, "one-worker")
            self._tally(two, "two-workers")

    def standing(self) -> None:
        """Each peer alone, fresh, with all streams open; it and its generator are ended with the streams still open."""
        for name in (OURS, *self._plan.peers):
            if name in self._plan.skip:
                continue
            self._say(f"memory of {name} with {memory.OPEN_STREAMS} open streams")
            with ExitStack() as stack:
                try:
                    peer = STARTS[name](stack, self._place, self._folder / "standing" / name, {})
                    self.results.versions[peer.name] = peer.version
                    generator = Generator(stack, cores=self._cores.load, folder=self._folder, name=f"standing-{name}")
                    self.results.standing.append(memory.standing(generator, self._upstream, peer))
                except (PeerMissing, BenchFailure) as failure:
                    self.results.missing.setdefault(NAMES[name], str(failure))

    def losses(self) -> None:
        """Of everybody who records."""
        plan = self._plan
        chosen = [name for name in (OURS, *plan.peers) if name not in plan.skip]
        for name in losses.recording(chosen):
            try:
                found = losses.measure(
                    self._place, name, folder=self._folder / "losses" / name, rounds=plan.loss_rounds, say=self._say
                )
                self.results.losses.extend(found)
            except (PeerMissing, BenchFailure) as failure:
                self.results.missing.setdefault(NAMES[name], str(failure))

    def _nightschool(self, stack: ExitStack, name: str, workers: int = 1) -> Peer:
        return nightschool.start(
            stack, upstream_port=self._upstream.port, cores=self._cores, folder=self._folder / name, workers=workers
        )

    def _others(self, stack: ExitStack) -> list[Peer]:
        """Those that are here; the others are named in the results."""
        running: list[Peer] = []
        for name in self._plan.peers:
            if name in self._plan.skip:
                self.results.missing[NAMES[name]] = "left out with --skip"
                continue
            self._say(f"starting {NAMES[name]}")
            try:
                running.append(STARTS[name](stack, self._place, self._folder / name, {}))
            except (PeerMissing, BenchFailure) as missing:
                self.results.missing[NAMES[name]] = str(missing)
        return running

    def _tally(self, ours: Peer, name: str) -> None:
        """Compare what was answered, the checks before the measurement included, with what can be read from the
        store."""
        self.results.answered += self._generator.answered[ours.port] + 2 * probe.TIMES
        self.results.recorded += nightschool.recorded(self._folder / name)

    def _say(self, doing: str) -> None:
        """Progress, for whoever waits."""
        print(f"[{time.monotonic() - self._begun:4.0f} s] {doing}", file=sys.stderr, flush=True)
