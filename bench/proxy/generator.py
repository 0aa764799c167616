"""The load generator and the stub upstream as the bench sees them: two processes that are told what to do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bench.proxy import peer, probe, process
from bench.proxy.child import Child
from bench.proxy.failure import BenchFailure
from bench.proxy.load import Job, Outcome
from bench.proxy.peer import Peer
from bench.proxy.port import ask


class Upstream:
    """The stub that answers every proxy."""

    def __init__(self, stack: ExitStack, *, cores: set[int], folder: Path) -> None:
        command = [sys.executable, "-m", "bench.proxy.upstream"]
        self._child = stack.enter_context(Child(command, cores=cores, log=folder / "upstream.log", pipes=True))
        assert self._child.popen.stdout is not None
        line = self._child.popen.stdout.readline()
        if not line:
            raise BenchFailure(f"the stub upstream died:\n{self._child.tail()}")
        self.port = int(line)

    def pace(self, gap_ms: float) -> None:
        """Set the time between two events of every stream that begins from now on."""
        ask(self.port, "PUT", "/pace", str(gap_ms).encode())

    def open_streams(self) -> int:
        """Streams that are running."""
        return int(ask(self.port, "GET", "/open").body)

    def as_peer(self) -> Peer:
        """The upstream itself, asked without any proxy: what first-token times are compared with."""
        return Peer(name=peer.DIRECT, version="", port=self.port, bodies=probe.learn_bodies(self.port))


class Generator:
    """Sends load; one set of jobs at a time."""

    def __init__(self, stack: ExitStack, *, cores: set[int], folder: Path, name: str = "load") -> None:
        command = [sys.executable, "-m", "bench.proxy.load"]
        self._child = stack.enter_context(Child(command, cores=cores, log=folder / f"{name}.log", pipes=True))
        self._ports: list[int] = []
        self.answered: Counter[int] = Counter()
        """Exchanges by the port that answered them, all of them checked."""

    def run(self, *jobs: Job) -> list[Outcome]:
        """All jobs side by side, to their end; fails when any answer was wrong."""
        self.begin(*jobs)
        return self.finish()

    def begin(self, *jobs: Job) -> None:
        """Start jobs; ``finish`` must follow."""
        assert self._child.popen.stdin is not None
        self._ports = [job.port for job in jobs]
        self._child.popen.stdin.write(msgspec.json.encode(jobs) + b"\n")
        self._child.popen.stdin.flush()

    def finish(self) -> list[Outcome]:
        """The outcomes of what was begun."""
        assert self._child.popen.stdout is not None
        line = self._child.popen.stdout.readline()
        if not line:
            raise BenchFailure(f"the load generator died:\n{self._child.tail()}")
        outcomes = msgspec.json.decode(line, type=list[Outcome])
        _check(outcomes)
        for port, outcome in zip(self._ports, outcomes, strict=True):
            self.answered[port] += outcome.exchanges
        return outcomes

    def cpu_s(self) -> float:
        """CPU time it has used."""
        return process.cpu_s(self._child.pid)


def _check(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.failure:
            raise BenchFailure(f"a wrong answer: {outcome.failure}")
        if not outcome.exchanges:
            raise BenchFailure("no exchange was finished in the time given")
