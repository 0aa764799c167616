"""What the audits of a student say: an alarm, the next share of the ramp, or to go on watching. Pure."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from distill.audit.bar import NoBar
from distill.audit.tally import Tally
from nightschool.config import Promote
from nightschool.registry.routing import Placed

Advice = Literal["withdraw", "widen", "watch"]


class Verdict(msgspec.Struct, frozen=True):
    """About one adapter."""

    advice: Advice
    why: str
    conversations: int
    """With an agreement by the measure of the bar, since it began to answer."""
    agreement: float | None
    """Mean of these."""
    bar: float | None
    """Lowest mean agreement that is tolerated; None where nobody can tell."""
    evidence: float
    """Against it; 0 where there is no bar."""
    threshold: float
    """``promote.false_alarm_audits``: with as much evidence there is an alarm."""
    doubt: bool = False
    """It agrees less than is asked for, so it goes no further, alarm or none."""


def untold(held_to: NoBar, promote: Promote) -> Verdict:
    """Where nobody can tell whether it is good enough."""
    return Verdict("watch", held_to.why, 0, None, None, 0.0, float(promote.false_alarm_audits))


def judge(placed: Placed, tally: Tally, promote: Promote, *, climbs: bool) -> Verdict:
    """``climbs``: it is on the ramp, and may go on."""
    threshold = float(promote.false_alarm_audits)
    bar, mean, evidence = tally.scope.bar, tally.all.mean, tally.evidence
    count = tally.all.conversations

    def verdict(advice: Advice, why: str, *, doubt: bool = False) -> Verdict:
        return Verdict(advice, why, count, mean, bar, evidence, threshold, doubt)

    if evidence >= threshold:
        return verdict(
            "withdraw",
            f"agreement {mean:.3f} in {count:,} audited conversations, {bar:.3f} is tolerated: "
            f"evidence {evidence:.3g} of {threshold:,.0f}",
            doubt=True,
        )
    if mean is not None and mean < bar:
        return verdict(
            "watch",
            f"it agrees less than is tolerated, but {count:,} conversations are no evidence yet",
            doubt=True,
        )
    if not climbs:
        return verdict("watch", "it does as well as is asked for, as far as is known")
    step, at_step = tally.step.conversations, tally.step.mean
    if at_step is None or step < promote.step_audits:
        return verdict("watch", f"{step:,} of {promote.step_audits:,} conversations audited at {placed.share:g} %")
    if at_step < bar or evidence > math.sqrt(threshold):
        return verdict(
            "watch",
            f"agreement {at_step:.3f} at {placed.share:g} % is not enough to go on; {bar:.3f} would be",
            doubt=True,
        )
    return verdict(
        "widen",
        f"agreement {at_step:.3f} in {step:,} audited conversations at {placed.share:g} %, {bar:.3f} is asked for",
    )
