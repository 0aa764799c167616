"""Recorded traffic through the routing of another configuration. The very functions of the live routing decide.

    exchange -> facts, control -> rules -> students -> who would have answered, and what that would have cost

Every adapter that may answer is taken to be ready on one replica that is always well, so nothing is said of failures.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from nightschool.config import Config
from nightschool.record import Price
from nightschool.registry.replicas import ReplicaState, ReplicaStates
from nightschool.registry.routing import RoutingState
from nightschool.wire.usage import Usage, cost_usd
from proxy.replay.past import Past
from proxy.route import Route, RoutingTable
from proxy.students.choice import choose
from proxy.students.registry import Registered
from proxy.students.roster import Roster, rosters_of

_REPLICA = "http://127.0.0.1:1"


@dataclass
class Totals:
    """Of one workload, as it would be."""

    exchanges: int = 0
    students_then: int = 0
    students_now: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Why who would answer."""
    usd_then: float = 0.0
    usd_now: float = 0.0
    priced: int = 0
    """Exchanges whose cost is known both ways: the sums are over these."""
    changed: int = 0
    """Answered by another target than then."""


@dataclass
class Replay:
    """What came of it."""

    workloads: dict[str, Totals] = field(default_factory=lambda: defaultdict(Totals))
    """By name; of exchanges without one under the empty name."""
    undecided: Counter[str] = field(default_factory=Counter)
    """Exchanges that nobody can route again, by why."""
    header_rules: int = 0
    """Workloads told by a header of the request, which no record holds: they match nothing here."""


class AlwaysWell:
    """The replica that stands for all."""

    def available(self, url: str) -> bool:
        return True

    def in_flight(self, url: str) -> int:
        return 0


class Router:
    """A configuration and a routing state, compiled."""

    def __init__(self, config: Config, routing: RoutingState, known: ReplicaStates) -> None:
        self._table = RoutingTable(config)
        self._rosters = rosters_of(config, Registered(routing, _all_ready(routing, known)))
        self._prices = {
            name: Price(price.input, price.output, price.cached_input) for name, price in config.prices.items()
        }
        price = config.student.price
        self._student_price = None if price is None else Price(*price.per_million)
        self._health = AlwaysWell()

    def route(self, past: Past) -> Route:
        facts, control = past.facts(), past.control()
        teacher = self._table.teacher(facts, control)
        roster = self._roster(teacher)
        if roster is None:
            return self._table.route(facts, control)
        return choose(
            facts, control, teacher=teacher, roster=roster, health=self._health, fingerprint=lambda _: past.fingerprint
        )

    def cost_usd(self, past: Past, route: Route) -> float | None:
        """With the tokens that were counted then: of another model's answer they are an estimate."""
        usage = Usage(past.prompt_tokens, past.completion_tokens, past.cached_tokens)
        if route.target == "student":
            return cost_usd(usage, self._student_price)
        names = (past.model_served, past.model_requested)
        price = next((self._prices[name] for name in names if name is not None and name in self._prices), None)
        return cost_usd(usage, price)

    def _roster(self, teacher: Route) -> Roster | None:
        found = self._rosters.get(teacher.workload) if teacher.workload is not None else None
        return found if found is not None and found.answering else None


def replay(past: Iterable[Past], router: Router, config: Config) -> Replay:
    """Route every exchange again, and add up."""
    found = Replay(header_rules=sum(bool(workload.when.header) for workload in config.workloads.values()))
    for each in past:
        if (obstacle := each.obstacle) is not None:
            found.undecided[obstacle] += 1
            continue
        route = router.route(each)
        _add(found.workloads[route.workload or ""], each, route, router.cost_usd(each, route))
    return found


def _add(totals: Totals, past: Past, route: Route, usd: float | None) -> None:
    totals.exchanges += 1
    totals.students_then += past.target == "student"
    totals.students_now += route.target == "student"
    totals.changed += past.target != route.target
    totals.reasons[route.reason] += 1
    if usd is not None and past.cost_usd is not None:
        totals.priced += 1
        totals.usd_then += past.cost_usd
        totals.usd_now += usd


def _all_ready(routing: RoutingState, known: ReplicaStates) -> ReplicaStates:
    """One replica with everything; its window is the narrowest of those that are known."""
    windows = [each.max_model_len for each in known.replicas if each.max_model_len is not None]
    everything = ReplicaState(
        url=_REPLICA, ready=True, adapters=routing.wanted(), max_model_len=min(windows, default=None)
    )
    return ReplicaStates(replicas=(everything,))
