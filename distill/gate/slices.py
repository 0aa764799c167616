"""Whether a student fails somewhere: one bound per slice.

Bounds are one-sided 95 % bounds of Student's t, with one loss and one win added, so that ten equal rows prove nothing.
They are no part of the error budget, and need not be: slices only ever hold a student back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from distill.gate.criteria import SliceLimits
from distill.gate.evidence import Group, Row, slices_of

Status = Literal["ok", "worse", "unsure", "few_rows"]
STATUS_WORDS: dict[Status, str] = {
    "ok": "ok",
    "worse": "clearly worse",
    "unsure": "not shown to be well",
    "few_rows": "too few rows to judge",
}

Z = 1.6448536269514722
"""Of the normal distribution, one-sided 95 %; t differs by less than 1 % from 100 rows on."""


class Slice(msgspec.Struct, frozen=True):
    """How a student does on a part of the rows."""

    name: str
    rows: int
    """Groups."""
    teacher: float
    student: float
    mean_difference: float
    lower_bound: float
    upper_bound: float
    status: Status
    """``worse``: the loss is shown to be greater than the limit. ``unsure``: it is not shown to be less."""


def judge_slices(rows: Sequence[Row], limits: SliceLimits) -> list[Slice]:
    """Every slice by name."""
    return [_judge(name, groups, limits) for name, groups in slices_of(rows).items()]


def spread(differences: Sequence[float]) -> float:
    """Standard deviation of rows to which one loss and one win were added."""
    return float(np.std([*differences, -1.0, 1.0]))


def _judge(name: str, groups: list[Group], limits: SliceLimits) -> Slice:
    differences = [group.difference for group in groups]
    mean = math.fsum(differences) / len(groups)
    reach = Z * spread(differences) / math.sqrt(len(groups))
    return Slice(
        name=name,
        rows=len(groups),
        teacher=math.fsum(group.teacher for group in groups) / len(groups),
        student=math.fsum(group.student for group in groups) / len(groups),
        mean_difference=mean,
        lower_bound=max(mean - reach, -1.0),
        upper_bound=min(mean + reach, 1.0),
        status=_status(len(groups), mean - reach, mean + reach, limits),
    )


def _status(rows: int, lower: float, upper: float, limits: SliceLimits) -> Status:
    if rows < limits.min_rows:
        return "few_rows"
    if lower >= -limits.worst:
        return "ok"
    return "worse" if upper < -limits.worst else "unsure"
