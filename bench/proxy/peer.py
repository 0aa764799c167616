"""What is measured: something that answers on a port, and the processes whose CPU time that costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.proxy import process, traffic
from bench.proxy.child import Child
from bench.proxy.load import Job
from bench.proxy.probe import Bodies

DIRECT, NGINX, NIGHTSCHOOL, LITELLM = "direct", "nginx", "nightschool", "LiteLLM"
PORTKEY, TENSORZERO, DISTILLERY, AFTERNOON = "Portkey", "TensorZero", "llm-distillery", "FastAPI + httpx"


class Records(NamedTuple):
    """What a peer keeps of the exchanges it has answered."""

    header: str
    """Of an answer: the id of its record."""
    stored: Callable[[], Counter[str]]
    """The ids of records that are whole, by how often each is there; asked when nothing of the peer runs."""


def _at_once() -> None:
    """Nothing goes on after the last answer."""


@dataclass(frozen=True)
class Peer:
    """A proxy that runs, or the upstream itself (no workers)."""

    name: str
    version: str
    port: int
    bodies: Bodies
    """What it answers, learned and checked once."""
    workers: tuple[int, ...] = ()
    """Processes that forward; the sum of their CPU time is the peer's figure."""
    beside: Mapping[str, int] = field(default_factory=dict)
    """Other processes of the peer by what they do; their CPU time is told apart."""
    varies: str = ""
    """What of its answers differs each time, as a regular expression; all else must be the same in each."""
    manner: traffic.Manner = traffic.AS_UPSTREAM
    child: Child | None = None
    """The process that was started; None for the upstream itself."""
    records: Records | None = None
    """None: it keeps nothing, or nothing without a database server."""
    rest: Callable[[], None] = _at_once
    """Waits until nothing of the peer runs any more for now."""
    settle: Callable[[], None] = _at_once
    """Waits until everything that goes on after the last answer has been done."""

    def job(
        self, *, stream: bool, connections: int, seconds: float = 1e9, exchanges: int | None = None, ramp_s: float = 0.0
    ) -> Job:
        """The load for this peer."""
        limits = {"exchanges": exchanges} if exchanges is not None else {}
        return Job(
            port=self.port,
            requests=traffic.requests(self.port, stream=stream, manner=self.manner),
            answer=self.bodies.stream if stream else self.bodies.plain,
            stream=stream,
            varies=self.varies,
            connections=connections,
            seconds=seconds,
            ramp_s=ramp_s,
            **limits,
        )

    def worker_cpu_s(self) -> float:
        """CPU time the workers have used since they began."""
        return sum(process.cpu_s(pid) for pid in self.workers)

    def beside_cpu_s(self) -> dict[str, float]:
        """The same for the others, each by what it does."""
        return {role: process.cpu_s(pid) for role, pid in self.beside.items()}
