"""Who would answer an exchange, and what that would cost. The very functions of the live routing decide.

    exchange -> facts, control -> rules -> students -> route -> cost

Replicas are always well, so nothing is said of failures.
"""

from __future__ import annotations

from nightschool.config import Config
from nightschool.prices import price_for, prices_of, student_price_of
from nightschool.wire.usage import cost_usd
from proxy.replay.past import Past
from proxy.replay.rules import Rules, Undecidable
from proxy.replay.supposed import Supposed
from proxy.route import Route
from proxy.students.choice import choose
from proxy.students.named_model import StudentUnavailable, named_in, route_to

TEXT_MISSING = "its text is not recorded"
REFUSED = "it asked by name for a student that could not have answered"


class AlwaysWell:
    """What is known of replicas: nothing bad."""

    def available(self, url: str) -> bool:
        return True

    def in_flight(self, url: str) -> int:
        return 0


class Router:
    """A configuration, and who is supposed to answer."""

    def __init__(self, config: Config, supposed: Supposed) -> None:
        self._rules = Rules(config)
        self._supposed = supposed
        self._prices, self._student_price = prices_of(config), student_price_of(config)
        self._health = AlwaysWell()

    def route(self, past: Past) -> Route | Undecidable:
        """The same steps as Runtime.route, which needs a proxy around it."""
        if past.text_is_missing:
            return Undecidable(TEXT_MISSING)
        facts, control, rosters = past.facts(), past.control(), self._supposed.at(past.time_us)
        named = named_in(facts.model)
        if named is not None and (roster := rosters.get(named.workload)) is not None:
            teacher = self._rules.named(named.workload)
            try:
                return route_to(named, facts, control, teacher=teacher, roster=roster, health=self._health)
            except StudentUnavailable:
                return Undecidable(REFUSED)
        told = self._rules.teacher(facts, control)
        if isinstance(told, Undecidable):
            return told
        found = rosters.get(told.workload) if told.workload is not None else None
        if found is None or not found.answering:
            return self._rules.without_students(facts, control)
        return choose(
            facts, control, teacher=told, roster=found, health=self._health, fingerprint=lambda _: past.fingerprint
        )

    def cost_usd(self, past: Past, route: Route) -> float | None:
        """With the tokens that were counted then: of another model's answer they are an estimate."""
        if route.target == "student":
            return cost_usd(past.usage, self._student_price)
        return cost_usd(past.usage, price_for(past.model_served, past.model_requested, self._prices))
