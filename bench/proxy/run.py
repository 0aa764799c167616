"""One run of the bench.

rounds beside the peers -> memory of a fresh proxy -> one worker beside two -> how much of it all was recorded
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from bench.proxy import litellm, machine, memory, nginx, nightschool, peer, probe, rounds, scaling
from bench.proxy.cores import divide
from bench.proxy.failure import PeerMissing
from bench.proxy.generator import Generator, Upstream
from bench.proxy.peer import Peer
from bench.proxy.results import Results

PARTS = ("rounds", "memory", "scaling")


class Plan(NamedTuple):
    """How long to measure, and whom to leave out."""

    rounds: int
    seconds: float
    memory_steps: int
    stream_gap_ms: float
    """Between two events while memory is read with all streams open."""
    scaling_rounds: int
    skip: frozenset[str]
    parts: frozenset[str]
    """Of ``PARTS``."""


def measure_all(stack: ExitStack, plan: Plan, *, folder: Path, root: Path) -> Results:
    """Measure everything; what is started is ended by ``stack`` at the latest."""
    bench = _Bench(stack, plan, folder, root)
    if "rounds" in plan.parts:
        bench.rounds()
    if "memory" in plan.parts:
        bench.memory()
    if "scaling" in plan.parts and bench.results.machine.cores > 1:
        bench.scaling()
    return bench.results


class _Bench:
    """The processes that all parts share, and what has been measured so far."""

    def __init__(self, stack: ExitStack, plan: Plan, folder: Path, root: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._root = root
        self._cores = divide()
        self._upstream = Upstream(stack, cores=self._cores.load, folder=folder)
        self._generator = Generator(stack, cores=self._cores.load, folder=folder)
        self._begun = time.monotonic()
        self.results = Results(machine=machine.describe(self._cores))

    def rounds(self) -> None:
        """The peers, side by side."""
        with ExitStack() as stack:
            ours = self._nightschool(stack, "rounds")
            running = [self._upstream.as_peer(), *self._others(stack), ours]
            self.results.versions = {each.name: each.version for each in running if each.version}
            plan = self._plan
            windows = rounds.interleave(
                self._generator, running, rounds=plan.rounds, seconds=plan.seconds, say=self._say
            )
            self.results.windows.extend(windows)
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

    def _nightschool(self, stack: ExitStack, name: str, workers: int = 1) -> Peer:
        return nightschool.start(
            stack, upstream_port=self._upstream.port, cores=self._cores, folder=self._folder / name, workers=workers
        )

    def _others(self, stack: ExitStack) -> list[Peer]:
        """Those that are here; the others are named in the results."""
        port, cores, folder = self._upstream.port, {self._cores.proxy}, self._folder
        starters: dict[str, Callable[[], Peer]] = {
            peer.NGINX: lambda: nginx.start(stack, upstream_port=port, cores=cores, folder=folder / "nginx"),
            peer.LITELLM: lambda: litellm.start(
                stack, upstream_port=port, cores=cores, folder=folder / "litellm", root=self._root
            ),
        }
        running: list[Peer] = []
        for name, start in starters.items():
            if name.lower() in self._plan.skip:
                self.results.missing[name] = "left out with --skip"
                continue
            self._say(f"starting {name}")
            try:
                running.append(start())
            except PeerMissing as missing:
                self.results.missing[name] = str(missing)
        return running

    def _tally(self, ours: Peer, name: str) -> None:
        """Compare what was answered, the checks before the measurement included, with what can be read from the
        store."""
        self.results.answered += self._generator.answered[ours.port] + 2 * probe.TIMES
        self.results.recorded += nightschool.recorded(self._folder / name)

    def _say(self, doing: str) -> None:
        """Progress, for whoever waits."""
        print(f"[{time.monotonic() - self._begun:4.0f} s] {doing}", file=sys.stderr, flush=True)
