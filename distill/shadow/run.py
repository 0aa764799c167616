"""One pass: an undecided student answers what its teacher has answered since, and the gate counts it.

    undecided? -> a sample of new exchanges -> the student's answers -> scores -> kept -> all evidence -> the gate

The evidence of the gate may be looked at whenever there is more of it, so every pass decides; only a decision changes
anything, and only that is kept as a dossier.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from distill.dataset.snapshot import DatasetManifest, datasets_of, folder_of, place_of
from distill.evaluate.agreement import agreement_scorer, measure_of
from distill.evaluate.answers import KeptAnswers, kept_answers
from distill.evaluate.bench import verifies_alone
from distill.evaluate.cases import Case
from distill.evaluate.generate import Generator, Room, System
from distill.evaluate.result import Manifest, read_manifest
from distill.gate.criteria import criteria_of
from distill.gate.decide import Decision, decide
from distill.gate.dossier import dossiers_of, keep_decision
from distill.gate.evidence import TEACHER_ITSELF, Evidence, Row
from distill.gate.pairs import Evaluation, newest_evaluation
from distill.journal import Journal, read_lines
from distill.night.follow import follow
from distill.night.report import reports_of
from distill.score.scorer import Scorer
from distill.shadow.sample import Wish, cases
from nightschool.config import Config
from nightschool.engine.replica import Replica
from nightschool.errors import StoreBusy
from nightschool.registry.adapters import find_adapter
from nightschool.registry.replicas import ReplicaState, read_replicas
from nightschool.registry.routing import read_routing
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once

MOST_AT_ONCE = 16
"""Questions of one pass: the student has nobody who waits for it, and its replicas have."""
_WIDTH = 4
_SLICE = "shadow"


class _Note(NamedTuple):
    """A line of what is kept."""

    exchange: str
    row: Row


class Shadowed(NamedTuple):
    """What a pass has found, and done."""

    workload: str
    adapter: str
    new: int
    rows: int
    """Answered in the shadow so far."""
    decision: Decision
    done: str | None
    """In words, where the gate has come to a decision."""


class _Undecided(NamedTuple):
    adapter: str
    dataset: DatasetManifest
    """That it was judged by."""
    learned: DatasetManifest
    evaluation: Evaluation
    manifest: Manifest


def shadow(config: Config, workload: str) -> Shadowed | None:
    """None where no student is undecided, no shadow is wanted, or no replica holds the student."""
    if not config.promote_of(workload).shadow or (found := _undecided(config.data, workload)) is None:
        return None
    ready = read_replicas(config.data).ready_with(found.adapter)
    if not ready:
        return None
    place = config.data / "shadows" / place_of(config.data, workload).name
    make_folder(place)
    with lock_at_once(place / "lock") as held:
        if not held:
            raise StoreBusy(f"another shadow of {workload} is running", remedy="wait for its end")
        notes = _notes(place / f"{found.adapter}.jsonl")
        new = _answer(config, workload, found, ready, {note.exchange for note in notes}, place)
        with Journal(place / f"{found.adapter}.jsonl") as journal:
            for note in new:
                journal.append(msgspec.json.encode(note))
        return _judge(config, workload, found, [note.row for note in (*notes, *new)], len(new))


def _undecided(data: Path, workload: str) -> _Undecided | None:
    """The candidate that the last night left undecided, with what it was judged by."""
    candidate = read_routing(data).students_of(workload).candidate
    if candidate is None or candidate.qualified:
        return None
    last = next((each for each in reversed(reports_of(data, workload)) if each.adapter == candidate.adapter), None)
    if last is None or last.outcome != "undecided" or last.evaluation is None:
        return None
    datasets = {each.name: each for each in datasets_of(data, workload)}
    dataset = datasets.get(last.dataset or "")
    learned = datasets.get(find_adapter(data, workload, candidate.adapter).dataset.name)
    if dataset is None or learned is None:
        return None
    evaluation = newest_evaluation(data, workload, last.evaluation)
    return _Undecided(candidate.adapter, dataset, learned, evaluation, read_manifest(evaluation.folder))


def _answer(
    config: Config, workload: str, found: _Undecided, ready: Sequence[ReplicaState], known: set[str], place: Path
) -> list[_Note]:
    """Of each new one."""
    wish = Wish(
        workload=workload,
        since_us=int(datetime.fromisoformat(found.dataset.last).timestamp() * 1e6),
        known=known,
        dataset=folder_of(config.data, found.learned),
        share=config.promote_of(workload).shadow,
        most=MOST_AT_ONCE,
    )
    asked = cases(config.data, wish)
    if not asked:
        return []
    settings = config.evaluate_of(workload)
    scorer = agreement_scorer(measure_of(found.manifest, settings))
    verifies = ":" in found.manifest.scorer.name and verifies_alone(scorer, asked)
    room = Room(max_tokens=int(found.manifest.settings["max_tokens"]), stop_token_ids=ready[0].stop_token_ids)
    with kept_answers(place / f"{found.adapter}.answers.jsonl") as kept:
        asyncio.run(_generate(found.adapter, asked, kept, room, ready, timeout_s=settings.timeout_s))
        return [_Note(case.example, _row(case, kept, scorer, verifies=verifies)) for case in asked]


async def _generate(
    adapter: str,
    asked: Sequence[Case],
    kept: KeptAnswers,
    room: Room,
    ready: Sequence[ReplicaState],
    *,
    timeout_s: float,
) -> None:
    replicas = [Replica(each.url, timeout_s=timeout_s, connections=_WIDTH) for each in ready]
    try:
        generator = Generator(replicas, kept, room, width=_WIDTH, price=None)
        await generator.answer(System(name="student", model=adapter), asked, lambda: None)
    finally:
        for replica in replicas:
            await replica.close()


def _row(case: Case, kept: KeptAnswers, scorer: Scorer, *, verifies: bool) -> Row:
    answer = kept.get("student", case.example)
    student = scorer(case.question, None if answer is None else answer.message, case.reference)
    teacher = scorer(case.question, case.teacher, case.reference)
    return Row(
        group=case.group,
        teacher=teacher.value if teacher.is_measurement else None,
        student=student.value if student.is_measurement else None,
        slices=(_SLICE,),
        problem=teacher.problem or student.problem,
        truth="verifier" if verifies else TEACHER_ITSELF,
    )


def _judge(config: Config, workload: str, found: _Undecided, rows: Sequence[Row], new: int) -> Shadowed:
    before = found.evaluation.evidence
    evidence = Evidence(rows=(*before.rows, *rows), student=before.student, teacher=before.teacher)
    criteria = criteria_of(config.promote_of(workload))
    decision = decide(evidence, criteria)
    done = None
    if decision.verdict != "undecided":
        subject = found.evaluation.subject(workload) | {"shadow": {"adapter": found.adapter, "rows": len(rows)}}
        keep_decision(subject, evidence, criteria, decision, dossiers_of(config.data, workload))
        done = follow(config, workload, found.dataset, found.manifest, decision).told
    return Shadowed(workload, found.adapter, new, len(rows), decision, done)


def _notes(path: Path) -> list[_Note]:
    return list({note.exchange: note for note in read_lines(path, _Note)}.values())
