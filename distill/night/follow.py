"""What a decision of the gate does to who answers, be it a night's, or one that shadowed traffic has brought about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from distill.dataset.prompts import fingerprints_of
from distill.dataset.snapshot import DatasetManifest, folder_of
from distill.evaluate.agreement import agreement_in
from distill.evaluate.result import Manifest
from distill.gate.decide import Decision
from distill.night.report import Outcome
from nightschool.config import Config
from nightschool.registry.change import change_students
from nightschool.registry.routing import Students, read_routing, this_moment
from nightschool.registry.steps import advance, drop_candidate, give_up_canary, qualify

AUTHOR = "job:night"
_LEAST_ROWS = 10
"""Test examples with a prompt, from which on a student is qualified on it."""


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
    prompts = _prompts(folder_of(data, dataset), promote.min_rows)
    agreement = agreement_in(data, evaluation, config.evaluate_of(workload))
    change(lambda before: qualify(before, adapter, fingerprints=prompts, agreement=agreement), "qualify")
    if promote.mode == "manual":
        return Followed("qualified", f"qualified; `nightschool promote {workload}` lets it answer")
    if read_routing(data).students_of(workload).held:
        return Followed("held", f"qualified; {workload} is held: `nightschool hold {workload} --release`")
    change(lambda before: _begun(before, adapter, promote.ramp), "promote")
    answering = read_routing(data).students_of(workload).answering()
    share = next((each.share for each in answering if each.adapter == adapter), 0.0)
    return Followed("promoted", f"{adapter} answers {share:g} % of the conversations")


def _begun(before: Students, adapter: str, ramp: tuple[float, ...]) -> Students:
    """The first share, unless it has gone further already, or was held in the meantime."""
    candidate = before.candidate
    if candidate is None or candidate.adapter != adapter or before.held:
        return before
    return advance(give_up_canary(before), ramp=ramp, now=this_moment())


def _prompts(dataset: Path, min_rows: int) -> tuple[str, ...]:
    """Fingerprints of the prompts that the student was tested on often enough."""
    counts = fingerprints_of([dataset / "test.parquet"])
    return tuple(sorted(prompt for prompt, count in counts.items() if count >= min(_LEAST_ROWS, min_rows)))
