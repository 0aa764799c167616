"""What a request needs, as one value: made from the configuration, replaced whole when that changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nightschool.config import Config
from nightschool.record import Price
from nightschool.store import wal
from proxy.callers import Callers
from proxy.journal import Journal, JournalSettings
from proxy.metrics import Metrics
from proxy.recording import RecordingPolicy
from proxy.route import RoutingTable
from proxy.upstream import UpstreamPool


class Breakers(Protocol):
    """What becomes of requests to replicas, by URL."""

    def began(self, url: str) -> None: ...

    def ended(self, url: str) -> None: ...

    def failed(self, url: str, kind: str) -> None: ...

    def succeeded(self, url: str) -> None: ...


class Runtime:
    """In force for every request that began with it, also after a reload."""

    replica_pools: Mapping[str, UpstreamPool]
    """By URL of the replica."""
    breakers: Breakers

    def __init__(
        self,
        config: Config,
        *,
        journal: Journal,
        callers: Callers,
        metrics: Metrics,
        before: Runtime | None = None,
    ) -> None:
        self.config = config
        self.journal = journal
        self.callers = callers
        self.metrics = metrics
        self.routing = RoutingTable(config)
        self.recording = RecordingPolicy(config.record, journal)
        self.upstreams: Mapping[str, UpstreamPool] = _pools(config, before.upstreams if before else {})

    def workload_label(self, workload: str | None) -> str:
        """For metrics; a workload that only a caller's header names is ``other``, so that labels stay few."""
        return "" if workload is None else workload if workload in self.config.workloads else "other"


def _pools(config: Config, before: Mapping[str, UpstreamPool]) -> dict[str, UpstreamPool]:
    """A pool per upstream; one whose settings did not change is kept with its connections."""
    pools: dict[str, UpstreamPool] = {}
    for name, upstream in config.upstreams.items():
        timeouts = config.timeouts_of(name)
        kept = before.get(name)
        if kept is not None and kept.config == upstream and kept.timeouts == timeouts:
            pools[name] = kept
        else:
            pools[name] = UpstreamPool(name, upstream, timeouts)
    return pools


def log_header(config: Config, worker: str) -> wal.Header:
    """The prices travel with the log: what an exchange cost is decided by the table in force when it happened."""
    prices = {
        name: Price(input=price.input, output=price.output, cached_input=price.cached_input)
        for name, price in config.prices.items()
    }
    price = config.student.price
    student_price = None if price is None else Price(*price.per_million)
    return wal.Header(worker=worker, prices=prices, student_price=student_price)


def journal_settings(config: Config) -> JournalSettings:
    record = config.record
    return JournalSettings(
        fsync=record.fsync,
        segment_s=record.segment_s,
        segment_bytes=record.segment_bytes,
        queue_bytes=record.queue_bytes,
    )
