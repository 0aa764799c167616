"""One pass: an undecided student answers what its teacher has answered since, and the gate counts it.

    undecided? -> a sample of new exchanges -> the student's answers -> marks -> kept -> all evidence -> the gate

Marks are given as the evaluation gives them, by the same code: rows of two kinds are no evidence together. A judge is
not asked here, so where one has judged the evaluation there is no shadow.
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
from distill.evaluate.marks import Facts, Marker
from distill.evaluate.result import Manifest, read_manifest
from distill.gate.criteria import criteria_of
from distill.gate.decide import Decision, decide
from distill.gate.dossier import dossiers_of, keep_decision
from distill.gate.evidence import Evidence, Row
from distill.gate.pairs import Evaluation, newest_evaluation, row_of
from distill.journal import Journal, read_lines
from distill.night.follow import follow
from distill.night.report import reports_of
from distill.shadow.sample import Wish, cases
from nightschool.config import Config
from nightschool.engine.replica import Replica
from nightschool.errors import NightschoolError, StoreBusy
from nightschool.registry.adapters import find_adapter
from nightschool.registry.replicas import ReplicaState, read_replicas
from nightschool.registry.routing import read_routing
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once

MOST_AT_ONCE = 16
"""Questions of one pass: the student has nobody who waits for it, and its replicas have."""
_WIDTH = 4
_SLICE = "shadow"


class ShadowRefused(NightschoolError):
    """What the student would answer could not be scored as its evaluation was."""


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
    prompts: Sequence[str]
    """That the evaluation was made with."""


def shadow(config: Config, workload: str) -> Shadowed | None:
    """None where no student is undecided, no shadow is wanted, or no replica holds the student.

    Raises ShadowRefused where its evaluation was judged by a model.
    """
    if not config.promote_of(workload).shadow or (found := _undecided(config.data, workload)) is None:
        return None
    if found.manifest.judge is not None:
        raise ShadowRefused(
            f"{found.adapter} cannot answer in the shadow: {found.manifest.judge.model} had judged its evaluation "
            f"{found.manifest.id}, and no judge is asked here",
            remedy=f"set workloads.{workload}.promote: {{shadow: 0}}, and let the next night decide by more test rows; "
            "or evaluate without evaluate.judge",
        )
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
    manifest = read_manifest(evaluation.folder)
    if not manifest.prompts:  # there is nothing that it may be asked with; nights judge it
        return None
    return _Undecided(candidate.adapter, dataset, learned, evaluation, manifest, manifest.prompts)


def _answer(
    config: Config, workload: str, found: _Undecided, ready: Sequence[ReplicaState], known: set[str], place: Path
) -> list[_Note]:
    """Of each new one."""
    wish = Wish(
        workload=workload,
        since_us=int(datetime.fromisoformat(found.dataset.last).timestamp() * 1e6),
        prompts=found.prompts,
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
    marker = Marker(scorer, verifies=verifies, judge=None, calibrated=None)
    room = Room(max_tokens=int(found.manifest.settings["max_tokens"]), stop_token_ids=ready[0].stop_token_ids)
    with kept_answers(place / f"{found.adapter}.answers.jsonl") as kept:
        asyncio.run(_generate(found.adapter, asked, kept, room, ready, timeout_s=settings.timeout_s))
        return asyncio.run(_notes_of(asked, kept, marker))


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


async def _notes_of(asked: Sequence[Case], kept: KeptAnswers, marker: Marker) -> list[_Note]:
    notes = []
    for case in asked:
        answer = kept.get("student", case.example)
        assert answer is not None
        marks = [marker.teachers(case, [_SLICE], Facts()), await marker.of(answer, case, [_SLICE])]
        row = row_of({mark.system: msgspec.to_builtins(mark) for mark in marks}, None)
        notes.append(_Note(case.example, row))
    return notes


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
