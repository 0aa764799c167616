"""Evidence and criteria -> a decision. A pure function: the same in, the same out, to the digit.

Promote only if everything speaks for it. Reject what is shown to be worse, or breaks a guard. All else is undecided,
which costs nothing: the teacher goes on answering, and more rows may decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import msgspec
import numpy as np

from distill.gate.bets import Differences, fortune, interval, log_fortune, log_fortunes
from distill.gate.bootstrap import bootstrap_interval
from distill.gate.criteria import Criteria, checked
from distill.gate.evidence import NO_TEACHER_ANSWER, TEACHER_ITSELF, Evidence, Group, Row, groups_of, problems_of
from distill.gate.guards import Guard, judge_guards
from distill.gate.need import rows_needed
from distill.gate.slices import Slice, judge_slices

Verdict = Literal["promote", "reject", "undecided"]
T = TypeVar("T")

LEVEL = 0.95
"""Of the intervals that are shown."""
HARM_RISK = 0.05
"""Of rejecting a student that is good enough: it costs one candidate, so it needs no budget."""
DIGITS = 9


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided, and by what."""

    verdict: Verdict
    reasons: tuple[str, ...]
    criterion: str
    margin: float
    e_value: float
    """The evidence that the student is good enough: a fortune that began as 1."""
    threshold: float
    harm_e_value: float
    """The evidence that it is not."""
    harm_threshold: float
    rows: int
    """Groups with both scores."""
    unscored: dict[str, int]
    """Rows without a score, by problem."""
    set_aside: int
    """Rows whose truth is the teacher's own answer, which cannot show that a student beats it."""
    teacher: float | None
    student: float | None
    mean_difference: float | None
    interval: tuple[float, float]
    """Anytime-valid, 95 %."""
    bootstrap_interval: tuple[float, float] | None
    rows_needed: int | None
    """About so many more; None where no number is in sight, or rows are not what is missing."""
    slices: tuple[Slice, ...]
    guards: tuple[Guard, ...]
    path: tuple[float, ...]
    """The logarithm of the evidence after each group, in the order of the hash."""


def decide(evidence: Evidence, criteria: Criteria) -> Decision:
    """Judge a student; raises EvidenceError for criteria that make no sense."""
    checked(criteria)
    rows = [row for row in evidence.rows if criteria.criterion == "parity" or row.truth != TEACHER_ITSELF]
    groups = groups_of(rows)
    differences = np.array([group.difference for group in groups], dtype=np.float64)
    slices = judge_slices(rows, criteria.slices)
    guards = judge_guards(evidence.student, evidence.teacher, criteria.guards)
    good, harm = _evidence(differences, criteria.bar), _evidence(-differences, -criteria.bar)
    unscored = problems_of(rows)
    refusals = list(_refusals(evidence.rows, rows, unscored, criteria))
    harms = list(_harms(harm, slices, guards))
    doubts = list(_doubts(len(groups), good, slices, criteria))
    verdict = _verdict(refusals, harms, doubts)
    return _rounded(
        Decision(
            verdict=verdict,
            reasons=tuple(refusals or harms or doubts or _praise(good, criteria)),
            criterion=criteria.criterion,
            margin=criteria.margin,
            e_value=fortune(good),
            threshold=criteria.threshold,
            harm_e_value=fortune(harm),
            harm_threshold=1 / HARM_RISK,
            rows=len(groups),
            unscored=unscored,
            set_aside=len(evidence.rows) - len(rows),
            teacher=_mean([group.teacher for group in groups]),
            student=_mean([group.student for group in groups]),
            mean_difference=_mean([group.difference for group in groups]),
            interval=interval(differences, 1 - LEVEL),
            bootstrap_interval=bootstrap_interval(differences, LEVEL),
            rows_needed=_needed(verdict, refusals, differences, criteria, slices),
            slices=tuple(slices),
            guards=tuple(guards),
            path=_path(groups, criteria.bar),
        )
    )


def _verdict(refusals: list[str], harms: list[str], doubts: list[str]) -> Verdict:
    if refusals:
        return "undecided"
    if harms:
        return "reject"
    return "undecided" if doubts else "promote"


def _refusals(given: Sequence[Row], rows: Sequence[Row], unscored: dict[str, int], criteria: Criteria) -> Iterator[str]:
    """Why there is nothing to judge by."""
    if not given:
        yield "there are no rows"
    elif not rows:
        yield "all that is known is the teacher's own answers: a student can be on a par with them, never beat them"
    elif (missing := _unfairly_missing(unscored)) > criteria.max_unscored * len(rows):
        told = ", ".join(f"{count:,} {kind}" for kind, count in unscored.items())
        yield (
            f"{missing:,} of {len(rows):,} rows have no score ({told}), more than {criteria.max_unscored:.0%}: "
            "what is left may be no fair sample"
        )


def _unfairly_missing(unscored: dict[str, int]) -> int:
    """Rows whose loss may favour the student; where the teacher had failed, it cannot."""
    return sum(count for kind, count in unscored.items() if kind != NO_TEACHER_ANSWER)


def _harms(harm: float, slices: Sequence[Slice], guards: Sequence[Guard]) -> Iterator[str]:
    if harm >= math.log(1 / HARM_RISK):
        yield f"it is shown to be worse than it may be: evidence {fortune(harm):.3g}, and {1 / HARM_RISK:g} is enough"
    for one in slices:
        if one.status == "worse":
            yield f"it is clearly worse at {one.name}: {one.mean_difference:+.3f}, at best {one.upper_bound:+.3f}"
    for guard in guards:
        if guard.holds is False:
            yield f"{guard.name} is {guard.student:.4g}, and the limit is {guard.limit:.4g}"


def _doubts(rows: int, good: float, slices: Sequence[Slice], criteria: Criteria) -> Iterator[str]:
    if rows < criteria.min_rows:
        yield f"{rows:,} rows (test groups) are less than the {criteria.min_rows:,} that are asked for"
    if good < math.log(criteria.threshold):
        yield f"the evidence is {fortune(good):.3g}, and {criteria.threshold:.4g} is needed"
    for one in slices:
        if one.status == "unsure":
            yield f"it may be worse at {one.name}: {one.mean_difference:+.3f}, at worst {one.lower_bound:+.3f}"


def _praise(good: float, criteria: Criteria) -> list[str]:
    meant = f"at most {criteria.margin:g} worse than" if criteria.criterion == "parity" else "better than"
    return [f"it is shown to be {meant} the teacher: evidence {fortune(good):.3g} of {criteria.threshold:.4g}"]


def _needed(
    verdict: Verdict, refusals: list[str], differences: Differences, criteria: Criteria, slices: Sequence[Slice]
) -> int | None:
    if verdict == "promote":
        return 0
    return None if verdict == "reject" or refusals else rows_needed(differences, criteria, slices)


def _evidence(differences: Differences, mean: float) -> float:
    """Rounded, so that another machine's last digit decides nothing."""
    return round(log_fortune(differences, mean), DIGITS)


def _path(groups: Sequence[Group], mean: float) -> tuple[float, ...]:
    if not groups:
        return ()
    return tuple(log_fortunes(np.array([group.difference for group in groups]), mean).tolist())


def _mean(numbers: list[float]) -> float | None:
    return math.fsum(numbers) / len(numbers) if numbers else None


def _rounded(value: T) -> T:
    """Every number in it to nine digits that count."""
    return msgspec.convert(_short(msgspec.to_builtins(value)), type(value))


def _short(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return [_short(inner) for inner in value] if isinstance(value, list | tuple) else value
