"""What the audits of a student say: an alarm, the next share of the ramp, or to go on watching. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import msgspec

from distill.audit.alarm import alarm_evidence
from distill.audit.audited import Audited, measured_by
from distill.audit.bar import Bar, NoBar
from nightschool.config import Promote
from nightschool.registry.routing import Placed

Advice = Literal["withdraw", "widen", "watch"]


class Verdict(msgspec.Struct, frozen=True):
    """About one adapter."""

    advice: Advice
    why: str
    audits: int
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


def judge(
    placed: Placed, audited: Sequence[Audited], promote: Promote, held_to: Bar | NoBar, *, climbs: bool
) -> Verdict:
    """``audited``: since it began to answer, the oldest first. ``climbs``: it is on the ramp, and may go on."""
    threshold = float(promote.false_alarm_audits)
    if isinstance(held_to, NoBar):
        return Verdict("watch", held_to.why, 0, None, None, 0.0, threshold)
    bar, compared = held_to.value, measured_by(audited, held_to.measure)
    agreements = [agreement for _, agreement in compared]
    mean = math.fsum(agreements) / len(agreements) if agreements else None
    evidence = alarm_evidence(agreements, bar)

    def verdict(advice: Advice, why: str, *, doubt: bool = False) -> Verdict:
        return Verdict(advice, why, len(agreements), mean, bar, evidence, threshold, doubt)

    if evidence >= threshold:
        return verdict(
            "withdraw",
            f"agreement {mean:.3f} in {len(agreements):,} audited answers, {bar:.3f} is tolerated: "
            f"evidence {evidence:.3g} of {threshold:,.0f}",
            doubt=True,
        )
    if mean is not None and mean < bar:
        return verdict(
            "watch",
            f"it agrees less than is tolerated, but {len(agreements):,} answers are no evidence yet",
            doubt=True,
        )
    if not climbs:
        return verdict("watch", "it does as well as is asked for, as far as is known")
    step = [agreement for each, agreement in compared if each.time >= placed.since]
    if len(step) < promote.step_audits:
        return verdict("watch", f"{len(step):,} of {promote.step_audits:,} answers audited at {placed.share:g} %")
    at_step = math.fsum(step) / len(step)
    if at_step < bar or evidence > math.sqrt(threshold):
        return verdict(
            "watch",
            f"agreement {at_step:.3f} at {placed.share:g} % is not enough to go on; {bar:.3f} would be",
            doubt=True,
        )
    return verdict(
        "widen",
        f"agreement {at_step:.3f} in {len(step):,} audited answers at {placed.share:g} %, {bar:.3f} is asked for",
    )
