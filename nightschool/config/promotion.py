"""The section about what a student must show before it may answer."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nightschool.config.section import Section
from nightschool.config.values import Count

Points = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
"""A difference of two scores or shares."""


Percent = Annotated[float, Field(ge=0, le=100, strict=True, allow_inf_nan=False)]
_Step = Annotated[float, Field(gt=0, le=100, strict=True, allow_inf_nan=False)]


def _rising(ramp: tuple[float, ...]) -> tuple[float, ...]:
    if not ramp:
        raise ValueError("is empty; write shares such as [5, 25, 100]")
    if any(after <= before for before, after in pairwise(ramp)):
        raise ValueError(f"must rise from share to share, such as [5, 25, 100], but is {listed(ramp)}")
    return ramp


def listed(ramp: tuple[float, ...]) -> str:
    """As it is written in the file."""
    return f"[{', '.join(f'{share:g}' for share in ramp)}]"


class SliceRules(Section):
    """What holds a student back that fails at one kind of question."""

    worst: Annotated[float, Field(gt=0, le=1, strict=True, allow_inf_nan=False)] = 0.1
    """Loss of score that must be excluded for every slice."""

    min_rows: Annotated[int, Field(ge=20, strict=True)] = 100
    """Test groups; a slice with fewer is shown, and decides nothing."""


class GuardRules(Section):
    """Limits beside the score, each held to only where both numbers were measured."""

    schema_validity: Points | None = 0.01
    """How far the share of valid answers may lie below the teacher's; null is no limit."""

    refusals: Points | None = 0.01
    """How far the share of refusals may lie above the teacher's; null is no limit."""

    p95_latency_ms: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] | None = None
    """Longest time in milliseconds that 95 % of answers may take. Left out, there is no limit."""

    cost_ratio: Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)] | None = 1.0
    """Greatest cost, as a multiple of the teacher's; null is no limit."""


class Promote(Section):
    """What a student must show before it may answer, and while it does."""

    mode: Literal["automatic", "manual"] = "automatic"
    """`automatic`: a student that passes the gate goes up by itself. `manual`: it waits for `nightschool promote`."""

    criterion: Literal["parity", "beat"] = "parity"
    """`parity`: shown to lose no more than `margin`. `beat`: shown to be better; needs labels, or a judge."""

    margin: Annotated[float, Field(gt=0, le=0.5, strict=True, allow_inf_nan=False)] = 0.03
    """Loss of mean score that you tolerate, of 1."""

    alpha: Annotated[float, Field(gt=0, le=0.5, strict=True, allow_inf_nan=False)] = 0.05
    """Greatest probability that any of `nights` decisions promotes a student that is worse than you tolerate."""

    nights: Count = 30
    """Decisions that share `alpha`: any so many in a row."""

    min_rows: Count = 300
    """Fewest test groups that a student is promoted on."""

    max_unscored: Points = 0.02
    """Greatest share of test rows without a score; with more, the gate does not judge."""

    ramp: Annotated[tuple[_Step, ...], AfterValidator(_rising), Field(json_schema_extra={"minItems": 1})] = (
        5.0,
        25.0,
        100.0,
    )
    """Shares of the conversations, in per cent, through which a student goes up, the smallest first."""

    teacher_share: Percent = 3.0
    """Per cent of conversations that the teacher answers for ever, whatever the student's share."""

    step_audits: Count = 30
    """Fewest conversations at one share that are compared with the teacher's before the next share of the ramp."""

    audit: Percent = 3.0
    """Per cent of a live student's answers that the teacher is asked for too, in the background; 0 is no audit."""

    false_alarm_audits: Annotated[int, Field(ge=100, strict=True)] = 10_000
    """Compared answers, on average at the least, between two false alarms about a student that is good enough."""

    on_harm: Literal["rollback", "notify"] = "rollback"
    """What evidence that a student is worse than tolerated does: withdraw it, or only tell you."""

    shadow: Percent = 0.0
    """Per cent of the teacher's new exchanges that an undecided student answers too, for the gate alone; 0 is none."""

    slices: SliceRules = SliceRules()
    """What holds a student back that fails at one kind of question."""

    guards: GuardRules = GuardRules()
    """Limits beside the score."""
