"""What a decision of the gate does to who answers, be it a night's, or one that shadowed traffic has brought about."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from distill.dataset.snapshot import DatasetManifest, folder_of
from distill.evaluate.agreement import agreement_in
from distill.evaluate.result import Manifest
from distill.gate.decide import Decision
from distill.night.canary import makes_room
from distill.night.prompts import Prompts, tested_prompts, what_varies
from distill.night.report import Outcome
from nightschool.config import Config
from nightschool.registry.change import change_students
from nightschool.registry.routing import Placed, Students, read_routing, this_moment
from nightschool.registry.steps import advance, drop_candidate, give_up_canary, qualify

AUTHOR = "job:night"
_NEARLY_ALL = 0.9
"""Of the test examples: how much of them a student's prompts cover is told below that."""


class Followed(NamedTuple):
    """What has come of it, and the same in words."""

    outcome: Outcome
    told: str


def follow(
    config: Config, workload: str, dataset: DatasetManifest, evaluation: Manifest, decision: Decision
) -> Followed:
    """Make the changes; made before, they are not made again. ``evaluation`` is of an adapter."""
    promote, data = config.promote_of(workload), config.data
    adapter, reason = str(evaluation.adapter), decision.reasons[0]

    def change(step: Callable[[Students], Students], action: str) -> None:
        change_students(data, workload, step, author=AUTHOR, action=action, reason=reason)

    if decision.verdict != "promote":
        if decision.verdict == "reject" or not promote.shadow:
            change(lambda before: drop_candidate(before, adapter), "drop")
        return Followed("rejected" if decision.verdict == "reject" else "undecided", reason)
    folder = folder_of(data, dataset)
    prompts = tested_prompts(folder, evaluation.prompts or ())
    if not prompts.qualified:
        reason = _answers_nobody(evaluation, what_varies(folder))
        change(lambda before: drop_candidate(before, adapter), "drop")
        return Followed("undecided", reason)
    value, measure = agreement_in(data, evaluation, config.evaluate_of(workload))
    passed = prompts.qualified
    change(lambda before: qualify(before, adapter, fingerprints=passed, agreement=value, measure=measure), "qualify")
    covered = "" if prompts.share >= _NEARLY_ALL else f"; {_covered(prompts)}"
    if promote.mode == "manual":
        return Followed("qualified", f"qualified; `nightschool promote {workload}` lets it answer{covered}")
    if read_routing(data).students_of(workload).held:
        return Followed("held", f"qualified; {workload} is held: `nightschool hold {workload} --release`{covered}")
    canary = read_routing(data).students_of(workload).canary
    gone = canary if canary and canary.adapter != adapter and makes_room(config, workload, canary, prompts) else None
    change(lambda before: _begun(before, adapter, promote.ramp, gone), "promote")
    return _begun_or_waiting(read_routing(data).students_of(workload), adapter, covered)


def _begun(before: Students, adapter: str, ramp: tuple[float, ...], gone: Placed | None) -> Students:
    """The first share, unless it has gone further already, was held in the meantime, or waits for the canary's end.

    ``gone``: the canary that makes room.
    """
    candidate = before.candidate
    if candidate is None or candidate.adapter != adapter or before.held or before.canary not in (None, gone):
        return before
    return advance(give_up_canary(before), ramp=ramp, now=this_moment())


def _begun_or_waiting(students: Students, adapter: str, covered: str) -> Followed:
    share = next((each.share for each in students.answering() if each.adapter == adapter), None)
    if share is not None:
        return Followed("promoted", f"{adapter} answers {share:g} % of the conversations{covered}")
    if students.canary is None or students.held:
        return Followed("held", f"qualified; the workload is held, or somebody has changed who answers{covered}")
    return Followed(
        "qualified",
        f"qualified; {adapter} begins when the canary {students.canary.adapter}, at {students.canary.share:g} %, "
        f"is live or was withdrawn{covered}",
    )


def _covered(prompts: Prompts) -> str:
    return (
        f"its prompts are those of {prompts.share:.0%} of the test examples: with every other prompt the teacher "
        "answers (`unqualified_prompt`)"
    )


def _answers_nobody(evaluation: Manifest, varies: str) -> str:
    return (
        f"the gate lets {evaluation.adapter} pass, but it could answer nobody: no prompt has enough of the "
        f"{evaluation.cases:,} test examples, 0 % are covered, since {varies}. Move what varies into the user's "
        "message, or have `record.redact` replace it; a student is qualified on the prompts of new traffic"
    )
