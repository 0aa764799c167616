"""One workload at a glance: who answers, how well, what the last night said, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from console.damage import DAMAGE
from console.desk import Desk
from distill.audit.look import look
from distill.audit.verdict import Verdict
from distill.evaluate.intervals import Interval
from distill.evaluate.result import evaluations_of, newest_manifest
from distill.night.report import Report, reports_of
from nightschool.config import Config
from nightschool.registry.change import Change
from nightschool.registry.replicas import ReplicaStates
from nightschool.registry.routing import Students

_JOBS_SAY = {"rollback": "withdrawn", "alarm": "told of harm, and held,"}


class Scores(NamedTuple):
    """Of the newest evaluation."""

    evaluation: str
    scorer: str
    score: Interval | None
    """Of the student, or of the best that the base model could do."""
    teacher: Interval | None


class Answering(NamedTuple):
    """A student that answers clients."""

    who: str
    adapter: str
    share: float
    ready: int
    """Replicas that hold it."""
    verdict: Verdict


class Glance(NamedTuple):
    """All of it."""

    workload: str
    configured: bool
    students: Students
    answering: list[Answering]
    scores: Scores | None
    night: Report | None
    alarms: list[str]


def glance_of(
    desk: Desk, config: Config, workload: str, students: Students, replicas: ReplicaStates, history: Sequence[Change]
) -> Glance:
    own = [change for change in history if change.workload == workload]
    answering = list(_answering(config, workload, students, replicas, own))
    nights = reports_of(desk.data, workload)
    return Glance(
        workload=workload,
        configured=workload in config.workloads,
        students=students,
        answering=answering,
        scores=_newest_scores(desk, workload),
        night=nights[-1] if nights else None,
        alarms=[*_alarms(answering, own)],
    )


def _answering(
    config: Config,
    workload: str,
    students: Students,
    replicas: ReplicaStates,
    history: Sequence[Change],
) -> Iterator[Answering]:
    for placed, share in students.shares():
        yield Answering(
            who="canary" if placed is students.canary else "live",
            adapter=placed.adapter,
            share=share,
            ready=len(replicas.ready_with(placed.adapter)),
            verdict=look(config, workload, placed, history, climbs=False).verdict,
        )


def _newest_scores(desk: Desk, workload: str) -> Scores | None:
    manifest = newest_manifest(desk.data, workload)
    if manifest is None:
        return None
    try:
        figures = desk.figures.of(evaluations_of(desk.data, workload) / manifest.id)
    except DAMAGE:  # gone, or damaged: its own page tells
        return None
    by_name = {system.name: system for system in figures.systems}
    teacher = by_name.get("teacher")
    return Scores(
        evaluation=manifest.id,
        scorer=manifest.scorer.name,
        score=by_name[figures.of_interest].score,
        teacher=teacher.score if teacher else None,
    )


def _alarms(answering: Sequence[Answering], history: Sequence[Change]) -> list[str]:
    told = []
    for each in answering:
        if each.verdict.advice == "withdraw":
            told.append(f"{each.adapter} has become worse than is tolerated: {each.verdict.why}")
        if not each.ready:
            told.append(f"no replica is ready with {each.adapter}: the teacher answers for it")
    for change in history:
        words = _JOBS_SAY.get(change.action)
        if words and change.author.startswith("job:") and _is_fresh(change.time):
            told.append(f"{words} by {change.author}: {change.reason}")
    return told


def _is_fresh(time: str) -> bool:
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds() < 86_400
