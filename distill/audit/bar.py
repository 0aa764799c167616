"""What a student is held to: the agreement that was measured at the gate, less the margin, and by which scorer."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from distill.audit.alarm import can_alarm
from distill.evaluate.agreement import measure_of
from distill.evaluate.result import manifests_of
from nightschool.config import Evaluate, Promote
from nightschool.registry.routing import Measure, Placed


class Bar(NamedTuple):
    """What is asked of its answers."""

    value: float
    """Lowest mean agreement that is tolerated."""
    measure: Measure
    """By which it was measured, and answers are."""


class NoBar(NamedTuple):
    """Nobody can tell whether the student is good enough: no alarm, no step, and no teacher need be asked."""

    why: str
    """And what to do."""


def bar_of(data: Path, workload: str, placed: Placed, promote: Promote, settings: Evaluate) -> Bar | NoBar:
    """Of a student that answers."""
    agreement = placed.agreement
    if agreement is None:
        return NoBar("nobody has measured what it is to be held to; evaluate it, and let the gate judge it")
    value = agreement - promote.margin
    if not can_alarm(value, promote.false_alarm_audits):
        return NoBar(
            f"its answers agreed with the teacher's by {agreement:.3f} when it was evaluated; less the margin that is "
            f"{value:.3f}, so low that no audit could tell a bad student from a good one, as is usual of free text; "
            f"take each step by hand (`nightschool promote {workload}`), or evaluate it by a scorer that measures "
            "such answers (evaluate.scorer)"
        )
    measure = placed.measure or _only_measure(data, workload, placed.adapter, settings)
    if measure is None:
        return NoBar(
            f"by which scorer its agreement of {agreement:.3f} was measured is not known; evaluate it, and say "
            f"`nightschool promote {workload} --adapter {placed.adapter} --share {placed.share:g} --force`"
        )
    return Bar(value, measure)


def _only_measure(data: Path, workload: str, adapter: str, settings: Evaluate) -> Measure | None:
    """By its own evaluations, of a student that was placed before its measure was kept; if they are of one mind."""
    found = [measure_of(each, settings) for each in manifests_of(data, workload, adapter)]
    return found[0] if found and all(each == found[0] for each in found) else None
