"""What a student must show."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from distill.gate.evidence import EvidenceError
from nightschool.config import Promote

Criterion = Literal["parity", "beat"]


class SliceLimits(msgspec.Struct, frozen=True):
    """What holds a student back whose mean hides that it fails at something."""

    worst: float = 0.1
    """Loss of score in a slice that must be excluded."""
    min_rows: int = 100
    """Groups; a slice with fewer is shown, and decides nothing."""


class GuardLimits(msgspec.Struct, frozen=True):
    """Limits beside the score; None is no limit."""

    schema_validity: float | None = 0.01
    """How far the share of valid answers may lie below the teacher's."""
    refusals: float | None = 0.01
    """How far the share of refusals may lie above the teacher's."""
    p95_latency_ms: float | None = None
    cost_ratio: float | None = 1.0
    """Greatest cost, as a multiple of the teacher's."""


class Criteria(msgspec.Struct, frozen=True):
    """As `promote:` of a workload gives them; the meaning of each is on the configuration's page."""

    criterion: Criterion = "parity"
    margin: float = 0.03
    alpha: float = 0.05
    """Greatest probability that any of ``nights`` decisions promotes a student that must not be."""
    nights: int = 30
    min_rows: int = 300
    """Groups."""
    max_unscored: float = 0.02
    """Greatest share of rows without a score."""
    slices: SliceLimits = SliceLimits()
    guards: GuardLimits = GuardLimits()

    @property
    def bar(self) -> float:
        """The mean difference that the student must be shown to be above."""
        return -self.margin if self.criterion == "parity" else 0.0

    @property
    def risk(self) -> float:
        """Of one decision."""
        return self.alpha / self.nights

    @property
    def threshold(self) -> float:
        """The evidence that is needed."""
        return 1 / self.risk


def criteria_of(promote: Promote, **given: Any) -> Criteria:
    """Of the configuration; what is ``given`` counts instead. The rest of ``promote`` is about what comes later."""
    plain = promote.model_dump(include=set(Criteria.__struct_fields__))
    slices, guards = SliceLimits(**plain.pop("slices")), GuardLimits(**plain.pop("guards"))
    return Criteria(**(plain | given), slices=slices, guards=guards)


def checked(criteria: Criteria) -> Criteria:
    """Raise EvidenceError for what makes no sense, whoever wrote it."""
    faults = [
        *_outside("margin", criteria.margin, 0, 0.5, open_below=criteria.criterion == "parity"),
        *_outside("alpha", criteria.alpha, 0, 0.5, open_below=True),
    ]
    if criteria.nights < 1:
        faults.append(f"nights is {criteria.nights}, less than 1")
    if criteria.min_rows < 1:
        faults.append(f"min_rows is {criteria.min_rows}, less than 1")
    if faults:
        raise EvidenceError(f"the gate cannot judge by this: {'; '.join(faults)}", remedy="correct it")
    return criteria


def _outside(name: str, value: float, least: float, most: float, *, open_below: bool) -> list[str]:
    inside = math.isfinite(value) and least <= value <= most and not (open_below and value == least)
    return (
        [] if inside else [f"{name} is {value:g}, not {'more than' if open_below else 'from'} {least:g} up to {most:g}"]
    )
