"""Limits beside the score: validity, refusals, latency, cost. Each holds only where both its numbers are known."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from distill.gate.criteria import GuardLimits
from distill.gate.evidence import Measured

_ROUNDING = 1e-9


class Guard(msgspec.Struct, frozen=True):
    """One limit."""

    name: str
    student: float | None
    teacher: float | None
    limit: float | None
    """What the student's number is held to: at least for ``schema_validity``, at most for the others."""
    holds: bool | None
    """None where there is no limit, or a number is missing."""


def judge_guards(student: Measured, teacher: Measured, limits: GuardLimits) -> list[Guard]:
    """Every guard, those too that cannot be judged."""
    return list(_guards(student, teacher, limits))


def _guards(student: Measured, teacher: Measured, limits: GuardLimits) -> Iterator[Guard]:
    least = _sum(teacher.schema_validity, None if limits.schema_validity is None else -limits.schema_validity)
    yield Guard(
        "schema_validity",
        student.schema_validity,
        teacher.schema_validity,
        least,
        None if student.schema_validity is None or least is None else student.schema_validity >= least - _ROUNDING,
    )
    most = _sum(teacher.refusal_rate, limits.refusals)
    yield _at_most("refusals", student.refusal_rate, teacher.refusal_rate, most)
    yield _at_most("p95_latency_ms", student.p95_latency_ms, teacher.p95_latency_ms, limits.p95_latency_ms)
    cost, ratio = teacher.cost_per_1000_usd, limits.cost_ratio
    dearest = None if cost is None or ratio is None else cost * ratio
    yield _at_most("cost_per_1000_usd", student.cost_per_1000_usd, cost, dearest)


def _at_most(name: str, student: float | None, teacher: float | None, limit: float | None) -> Guard:
    holds = None if student is None or limit is None else student <= limit + _ROUNDING
    return Guard(name, student, teacher, limit, holds)


def _sum(number: float | None, other: float | None) -> float | None:
    return None if number is None or other is None else number + other
