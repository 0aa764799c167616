"""A proxy in a thread, in which every request is a student's: what chooses is left out, all else is the real one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from nightschool.config import Config, Timeouts, Upstream, load_config
from proxy.callers import Callers
from proxy.control import Control
from proxy.facts import RequestFacts
from proxy.front import Front
from proxy.journal import Journal
from proxy.metrics import Metrics
from proxy.route import ReplicaChoice, Route, RoutingTable
from proxy.runtime import Runtime, journal_settings, log_header
from proxy.server import build_server
from proxy.upstream import UpstreamPool
from tests.running import Row, rows, write_config
from tests.waiting import until

WORKLOAD = "cities"
ADAPTER = f"{WORKLOAD}--0123456789ab"


class Breakers:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.open: Counter[str] = Counter()

    def began(self, url: str) -> None:
        self.open[url] += 1

    def ended(self, url: str) -> None:
        self.open[url] -= 1

    def failed(self, url: str, kind: str) -> None:
        self.told.append((url, kind))

    def succeeded(self, url: str) -> None:
        self.told.append((url, "succeeded"))


class AllToTheStudent(RoutingTable):
    """Sends every request to the student that has these replicas."""

    def __init__(self, config: Config, urls: tuple[str, ...]) -> None:
        super().__init__(config)
        self._replicas = tuple(ReplicaChoice(url, f"replica {url}", 2048, (2,)) for url in urls)

    def route(self, facts: RequestFacts, control: Control) -> Route:
        teacher = replace(super().route(facts, control), workload=WORKLOAD, reason="ramp", propensity=0.25)
        return Route(
            WORKLOAD,
            teacher.upstreams,
            "live",
            target="student",
            adapter=ADAPTER,
            propensity=0.75,
            replicas=self._replicas,
            teacher=teacher,
        )


@dataclass
class StudentProxy:
    """Where it listens, and what it has noted."""

    url: str
    data: Path
    metrics: Metrics
    breakers: Breakers = field(default_factory=Breakers)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def record(self, exchange_id: str | None) -> Row:
        found: list[Row] = []

        def there() -> bool:
            found[:] = rows(self.data, "SELECT * FROM exchanges WHERE id = ?", [exchange_id])
            return bool(found)

        until(there, what=f"a record of {exchange_id}")
        return found[0]

    def failures(self) -> dict[str, int]:
        """How often students failed, by reason."""
        page = self.metrics.exposition().decode().splitlines()
        lines = [line for line in page if line.startswith("nightschool_student_failures_total{")]
        return {line.split('reason="')[1].split('"')[0]: int(float(line.split()[-1])) for line in lines}


@contextlib.contextmanager
def student_proxy(folder: Path, teacher_url: str, *replica_urls: str, **sections: Any) -> Iterator[StudentProxy]:
    """Serve until the block ends; ``sections`` go over the configuration."""
    given = {
        "data": "data",
        "upstreams": {"main": {"base_url": teacher_url}},
        "workloads": {WORKLOAD: {"when": {"model": "*"}}},
        **sections,
    }
    folder.mkdir(exist_ok=True)
    config = load_config(write_config(folder, given), {})
    serving = _Serving(config, replica_urls)
    thread = threading.Thread(target=serving.run)
    thread.start()
    try:
        yield serving.started()
    finally:
        serving.stop()
        thread.join()


class _Serving:
    def __init__(self, config: Config, replica_urls: tuple[str, ...]) -> None:
        self._config = config
        self._replica_urls = replica_urls
        self._ready = threading.Event()
        self._proxy: StudentProxy | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()

    def started(self) -> StudentProxy:
        self._ready.wait()
        assert self._proxy is not None
        return self._proxy

    def stop(self) -> None:
        self._server.should_exit = True

    async def _serve(self) -> None:
        config, metrics = self._config, Metrics()
        journal = Journal(config.data / "wal", lambda: log_header(config, "test"), journal_settings(config))
        breakers = Breakers()
        runtime = Runtime(config, journal=journal, callers=Callers(b"secret"), metrics=metrics)
        runtime.routing = AllToTheStudent(config, self._replica_urls)
        runtime.replica_pools = {
            url: UpstreamPool(url, Upstream(base_url=f"{url}/v1"), Timeouts(connect_s=1.0, idle_s=1.0), journal.turn)
            for url in self._replica_urls
        }
        runtime.breakers = breakers
        front = Front(runtime)
        self._server = build_server(front, FastAPI(), 5.0)
        listener = socket.create_server(("127.0.0.1", 0))
        journal.start()
        looking = asyncio.get_running_loop().create_task(_look_after(runtime))
        host, port = listener.getsockname()
        self._proxy = StudentProxy(f"http://{host}:{port}", config.data, metrics, breakers)
        self._ready.set()
        await self._server.serve(sockets=[listener])
        looking.cancel()
        for pool in _pools(runtime):
            pool.close()
        await journal.close()


async def _look_after(runtime: Runtime) -> None:
    while True:
        await asyncio.sleep(0.05)
        for pool in _pools(runtime):
            pool.look_at_clocks()


def _pools(runtime: Runtime) -> tuple[UpstreamPool, ...]:
    return (*runtime.upstreams.values(), *runtime.replica_pools.values())
