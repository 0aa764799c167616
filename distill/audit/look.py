"""A student that answers, as the audit sees it, for whoever does not audit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from distill.audit.audited import file_of
from distill.audit.bar import NoBar, bar_of
from distill.audit.tally import Scope, standing
from distill.audit.verdict import Verdict, judge, untold
from nightschool.config import Config
from nightschool.registry.change import Change, answering_since
from nightschool.registry.routing import Placed


class Look(NamedTuple):
    """What there is to see."""

    verdict: Verdict
    newest: str | None
    """When the newest answer was asked that was compared."""


def look(config: Config, workload: str, placed: Placed, history: Sequence[Change], *, climbs: bool) -> Look:
    """``climbs``: as if it were on the ramp, and might go on."""
    promote = config.promote_of(workload)
    bar = bar_of(config.data, workload, placed, promote, config.evaluate_of(workload))
    if isinstance(bar, NoBar):
        return Look(untold(bar, promote), None)
    scope = Scope(answering_since(history, placed), placed.since, bar.measure, bar.value)
    tally = standing(file_of(config.data, workload, placed.adapter), scope).tally
    return Look(judge(placed, tally, promote, climbs=climbs), tally.newest)
