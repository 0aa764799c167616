"""One night.

    dataset -> train (a process of its own) -> propose, load -> evaluate -> gate -> the first share of the ramp
       └── the last student may only have to be judged again ──┘

Every stage finds what it had done before, so a night that was killed is simply run again. Whatever comes of it, who
answers now goes on answering until the last stage has said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.dataset.build import TooFewExamples, build
from distill.dataset.settings import settings_of
from distill.dataset.snapshot import DatasetManifest
from distill.evaluate.candidate import Candidate
from distill.evaluate.order import candidate_of, order_of
from distill.evaluate.result import Manifest
from distill.evaluate.run import Progress, evaluate
from distill.gate.criteria import criteria_of
from distill.gate.decide import Decision, decide
from distill.gate.dossier import dossiers_of, keep_decision
from distill.gate.pairs import newest_evaluation
from distill.night.follow import AUTHOR, follow
from distill.night.ready import replicas_with
from distill.night.report import Outcome, Report, keep
from distill.night.standing import Night, now, only_night
from distill.night.todo import Todo, made_by, scored_by, todo
from distill.selection import Selection
from nightschool.config import Config, Promote
from nightschool.errors import NightschoolError
from nightschool.registry.change import change_students
from nightschool.registry.routing import Students, read_routing
from nightschool.registry.steps import propose

_LOADS_WITHIN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a night is made of."""

    config: Config
    workload: str
    train: Callable[[str], str]
    """Name of a dataset -> name of the adapter: trains in a process of its own, which gives all memory back."""
    say: Callable[[str], object]
    progress: Progress
    again: bool = False
    """Train although there is little new."""

    @property
    def data(self) -> Path:
        return self.config.data

    @property
    def promote(self) -> Promote:
        return self.config.promote_of(self.workload)


def run_night(plan: Plan) -> Report:
    """Run it, keep its report, and return that; raises NightschoolError where it could not go on."""
    with only_night(plan.data, plan.workload) as night:
        found = _run(plan, night)
        report = Report(workload=plan.workload, started=night.started, finished=now(), **found)
        keep(plan.data, report)
        return report


def _run(plan: Plan, night: Night) -> dict[str, Any]:
    night.enter("dataset")
    try:
        dataset = _dataset(plan)
    except TooFewExamples as error:
        return _told("too_few", str(error))
    wanted = Todo("train", "asked for") if plan.again else todo(plan.config, plan.workload, dataset)
    if wanted.what == "nothing":
        return _told("nothing_new", wanted.why, dataset=dataset.name)
    plan.say(f"dataset {dataset.name}: {dataset.sides['train'].answers:,} answers to learn")
    plan.say(f"{wanted.what}: {wanted.why}")
    if wanted.adapter is None:
        night.enter("train")
        adapter, why = plan.train(dataset.name), f"trained on {dataset.name}"
    else:
        adapter, why = wanted.adapter, f"judged again: {wanted.why}"
    made: dict[str, Any] = {
        "dataset": dataset.name,
        "adapter": adapter,
        "made_by": made_by(plan.config, plan.workload),
    }
    if adapter in _students(plan).withdrawn:
        return _told("withdrawn", f"{adapter} was rolled back: no night brings it back", **made)
    night.enter("load")
    change_students(
        plan.data,
        plan.workload,
        lambda before: propose(before, adapter),
        author=AUTHOR,
        action="propose",
        reason=why,
    )
    replicas = replicas_with(plan.data, adapter, patience_s=_LOADS_WITHIN_S, say=plan.say)
    night.enter("evaluate")
    evaluation = _evaluate(plan, dataset, adapter, replicas)
    night.enter("gate")
    decision, dossier = _decide(plan, evaluation)
    made |= {
        "evaluation": evaluation.id,
        "dossier": str(dossier.relative_to(plan.data)),
        "criteria": criteria_of(plan.promote),
        "scored_by": scored_by(plan.config, plan.workload),
    }
    plan.say(f"gate: {decision.verdict}: {decision.reasons[0]}")
    night.enter("promote")
    said = follow(plan.config, plan.workload, dataset, evaluation, decision)
    return {"outcome": said.outcome, "told": said.told, "rows_needed": decision.rows_needed, **made}


def _dataset(plan: Plan) -> DatasetManifest:
    return build(
        plan.data, Selection.configured(plan.config, plan.workload), settings_of(plan.config.distill_of(plan.workload))
    )


def _evaluate(plan: Plan, dataset: DatasetManifest, adapter: str, replicas: list[str] | None) -> Manifest:
    candidate = candidate_of(plan.data, plan.workload, adapter)
    order = order_of(
        plan.config,
        plan.workload,
        dataset,
        candidate,
        live=_live(plan, adapter, held=replicas is not None),
        replicas=replicas,
    )
    return evaluate(order, progress=plan.progress)


def _live(plan: Plan, adapter: str, *, held: bool) -> Candidate | None:
    """The student that answers now, to be evaluated beside the new one; not where it is damaged, which others tell."""
    live = _students(plan).live
    if live is None or live.adapter == adapter or not held:
        return None
    try:
        return candidate_of(plan.data, plan.workload, live.adapter)
    except NightschoolError as error:
        plan.say(f"the live student is not evaluated: {error.problem}")
        return None


def _decide(plan: Plan, evaluation: Manifest) -> tuple[Decision, Path]:
    found = newest_evaluation(plan.data, plan.workload, evaluation.id)
    criteria = criteria_of(plan.promote)
    decision = decide(found.evidence, criteria)
    folder = dossiers_of(plan.data, plan.workload)
    return decision, keep_decision(found.subject(plan.workload), found.evidence, criteria, decision, folder)


def _students(plan: Plan) -> Students:
    return read_routing(plan.data).students_of(plan.workload)


def _told(outcome: Outcome, words: str, **made: Any) -> dict[str, Any]:
    return {"outcome": outcome, "told": words, **made}
