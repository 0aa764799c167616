"""Every exchange routed again, and added up: as it was, and as it would be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from proxy.replay.past import Past
from proxy.replay.router import Router
from proxy.replay.rules import Undecidable
from proxy.route import Route

NO_TOKENS = "tokens were not counted"
NO_PRICE = "the model has no price"
NO_STUDENT_PRICE = "students have no price"
NOT_KNOWN_THEN = "what it cost is not known"


@dataclass
class Totals:
    """Of one workload, as it would be."""

    exchanges: int = 0
    """That can be routed again; those below are not among them."""
    undecidable: Counter[str] = field(default_factory=Counter)
    """Exchanges that were of this workload then, by why nobody can say of which they would be."""
    students_then: int = 0
    students_now: int = 0
    reasons_then: Counter[str] = field(default_factory=Counter)
    reasons_now: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    """Answered by another target than then."""
    moved: int = 0
    """Of another workload than then."""
    fallbacks_then: int = 0
    """The student that was to answer had failed; now it is taken not to."""
    priced: int = 0
    """Exchanges whose cost is known both ways: the sums are over these."""
    usd_then: float = 0.0
    usd_now: float = 0.0
    estimated: int = 0
    """Exchanges of ``priced`` that change between teacher and student, so that another model's tokens are priced."""
    usd_estimated: float = 0.0
    """Their part of ``usd_now``."""
    unpriced: Counter[str] = field(default_factory=Counter)
    """The others, by why."""

    @property
    def usd_difference(self) -> float:
        return self.usd_now - self.usd_then


def replay(past: Iterable[Past], router: Router) -> dict[str, Totals]:
    """By workload; what has none is under the empty name."""
    found: dict[str, Totals] = defaultdict(Totals)
    for each in past:
        route = router.route(each)
        if isinstance(route, Undecidable):
            found[each.workload or ""].undecidable[route.why] += 1
        else:
            totals = found[route.workload or ""]
            _add(totals, each, route)
            _add_cost(totals, each, route, router.cost_usd(each, route))
    return dict(found)


def total(of: Iterable[Totals]) -> Totals:
    """Of all workloads together."""
    whole = Totals()
    for each in of:
        for name, value in vars(each).items():
            setattr(whole, name, getattr(whole, name) + value)
    return whole


def _add(totals: Totals, past: Past, route: Route) -> None:
    totals.exchanges += 1
    totals.students_then += past.target == "student"
    totals.students_now += route.target == "student"
    totals.reasons_then[past.reason] += 1
    totals.reasons_now[route.reason] += 1
    totals.changed += past.target != route.target
    totals.moved += past.workload != route.workload
    totals.fallbacks_then += past.reason.startswith("fallback_")


def _add_cost(totals: Totals, past: Past, route: Route, usd_now: float | None) -> None:
    if usd_now is not None and past.cost_usd is not None:
        totals.priced += 1
        totals.usd_then += past.cost_usd
        totals.usd_now += usd_now
        if past.target != route.target:
            totals.estimated += 1
            totals.usd_estimated += usd_now
    elif past.prompt_tokens is None or past.completion_tokens is None:
        totals.unpriced[NO_TOKENS] += 1
    elif usd_now is None:
        totals.unpriced[NO_STUDENT_PRICE if route.target == "student" else NO_PRICE] += 1
    else:
        totals.unpriced[NOT_KNOWN_THEN] += 1
