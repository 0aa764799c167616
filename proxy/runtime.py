"""What a request needs, as one value: made from the configuration and the registry, replaced whole when one changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from nightschool.config import Config, Timeouts, Upstream
from nightschool.prices import prices_of, student_price_of
from nightschool.store import wal
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import read_request
from proxy.callers import Callers
from proxy.clients.known import KnownClients, NamedCallers
from proxy.clients.meters import Meters
from proxy.control import Control
from proxy.facts import RequestFacts
from proxy.journal import Journal, JournalSettings
from proxy.metrics import Metrics
from proxy.recording import RecordingPolicy
from proxy.route import Route, RoutingTable
from proxy.students import breaker
from proxy.students.choice import Health, choose
from proxy.students.named_model import named_in, route_to
from proxy.students.registry import NOTHING, Registered, api_of
from proxy.students.roster import Roster, replica_name, rosters_of
from proxy.turn import Turn
from proxy.upstream import UpstreamPool


class Breakers(Protocol):
    """What becomes of requests to replicas, by URL."""

    def began(self, url: str) -> None: ...

    def ended(self, url: str) -> None: ...

    def failed(self, url: str, kind: str) -> None: ...

    def succeeded(self, url: str) -> None: ...


class Runtime:
    """In force for every request that began with it, also after a reload."""

    def __init__(
        self,
        config: Config,
        *,
        journal: Journal,
        callers: Callers,
        metrics: Metrics,
        registered: Registered = NOTHING,
        breakers: breaker.Breakers | None = None,
        meters: Meters | None = None,
        before: Runtime | None = None,
    ) -> None:
        same: Runtime | None = before if before is not None and before.config is config else None
        self.config: Config = config
        self.journal = journal
        self.clients: KnownClients | None = same.clients if same else _clients(config, meters)
        """None where everybody may ask."""
        self.callers = callers if self.clients is None else NamedCallers(self.clients, callers)
        self.metrics = metrics
        self.registered = registered
        self.routing: RoutingTable = same.routing if same else RoutingTable(config)
        self.recording: RecordingPolicy = same.recording if same else RecordingPolicy(config.record, journal)
        self.rosters: Mapping[str, Roster] = rosters_of(config, registered)
        self.upstreams: Mapping[str, UpstreamPool] = _pools(config, before.upstreams if before else {}, journal.turn)
        self.replica_pools: Mapping[str, UpstreamPool] = _replica_pools(
            config, registered, before.replica_pools if before else {}, journal.turn
        )
        """By URL of the replica; a request under way keeps those with which it began."""
        known = breaker.Breakers() if breakers is None else breakers
        self.breakers: Breakers = known
        self._health: Health = known

    def route(self, facts: RequestFacts, control: Control) -> Route:
        """Who answers; raises StudentUnavailable where the caller names a student, and it cannot."""
        if not self.rosters:
            return self.routing.route(facts, control)
        named = named_in(facts.model)
        if named is not None and (roster := self.rosters.get(named.workload)) is not None:
            teacher = self.routing.named(named.workload)
            route = route_to(named, facts, control, teacher=teacher, roster=roster, health=self._health)
        else:
            teacher = self.routing.teacher(facts, control)
            found = self.rosters.get(teacher.workload) if teacher.workload is not None else None
            if found is None or not found.answering:
                return self.routing.route(facts, control)
            route = choose(
                facts,
                control,
                teacher=teacher,
                roster=found,
                health=self._health,
                fingerprint=self._fingerprint,
            )
        self.metrics.count(
            "nightschool_decisions", route.workload or "", route.target, route.adapter or "", route.reason
        )
        return route

    def _fingerprint(self, facts: RequestFacts) -> str | None:
        """As the record will have it, which is what students are qualified on: of a redacted prompt."""
        recorded = self.recording.as_recorded(facts.body)
        if recorded is facts.body:
            return facts.fingerprint
        request = read_request(recorded)
        return None if request is None else fingerprint(request)

    @property
    def pools(self) -> Iterator[UpstreamPool]:
        """To upstreams and to replicas."""
        yield from self.upstreams.values()
        yield from self.replica_pools.values()

    def workload_label(self, workload: str | None) -> str:
        """For metrics; a workload that only a caller's header names is ``other``, so that labels stay few."""
        return "" if workload is None else workload if workload in self.config.workloads else "other"


def _clients(config: Config, meters: Meters | None) -> KnownClients | None:
    return KnownClients(config, meters or Meters()) if config.clients else None


def _pools(config: Config, before: Mapping[str, UpstreamPool], turn: Turn) -> dict[str, UpstreamPool]:
    """A pool per upstream; one whose settings did not change is kept with its connections."""
    pools: dict[str, UpstreamPool] = {}
    for name, upstream in config.upstreams.items():
        timeouts = config.timeouts_of(name)
        kept = before.get(name)
        if kept is not None and kept.config == upstream and kept.timeouts == timeouts:
            pools[name] = kept
        else:
            pools[name] = UpstreamPool(name, upstream, timeouts, turn)
    return pools


def _replica_pools(
    config: Config, registered: Registered, before: Mapping[str, UpstreamPool], turn: Turn
) -> dict[str, UpstreamPool]:
    """The same for every replica that the registry knows."""
    student = config.student
    timeouts = Timeouts(
        connect_s=min(config.timeouts.connect_s, student.first_token_s),
        first_byte_s=student.first_token_s,
        idle_s=config.timeouts.idle_s,
    )
    pools: dict[str, UpstreamPool] = {}
    for each in registered.replicas.replicas:
        kept = before.get(each.url)
        if kept is not None and kept.timeouts == timeouts:
            pools[each.url] = kept
        else:
            upstream = Upstream(base_url=api_of(each.url))
            pools[each.url] = UpstreamPool(replica_name(each.url), upstream, timeouts, turn, direct=True)
    return pools


def log_header(config: Config, worker: str) -> wal.Header:
    """The prices travel with the log: what an exchange cost is decided by the table in force when it happened."""
    return wal.Header(worker=worker, prices=prices_of(config), student_price=student_price_of(config))


def journal_settings(config: Config) -> JournalSettings:
    record = config.record
    return JournalSettings(
        fsync=record.fsync,
        segment_s=record.segment_s,
        segment_bytes=record.segment_bytes,
        queue_bytes=record.queue_bytes,
    )
