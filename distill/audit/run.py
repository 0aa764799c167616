"""One pass of the audit over one workload.

    who answers -> sample -> ask the teacher -> record -> score -> keep -> judge -> withdraw, widen, or nothing

A pass takes seconds, and may be killed anywhere: what was asked is recorded before it is kept, what is kept is not
asked again, and a judgement is made anew from all that is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from distill.audit.audited import Audited, audited_of, keep
from distill.audit.sample import SLACK_US, Sampled, Wish, recorded, sample
from distill.audit.teacher import Asked, Teacher, audit_id, message_of
from distill.audit.verdict import Verdict, judge
from distill.dataset.snapshot import place_of
from distill.evaluate.agreement import agreement_scorer
from distill.evaluate.result import newest_manifest
from distill.score.choose import choose
from distill.score.scorer import Message, Question, Scorer
from nightschool.config import Config
from nightschool.errors import StoreBusy
from nightschool.record import Record
from nightschool.registry.change import Change, change_students, read_history
from nightschool.registry.routing import Placed, Students, read_routing
from nightschool.registry.steps import advance, hold, roll_back
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once
from nightschool.store.manifest import publish
from nightschool.store.sealer import Sealer
from nightschool.wire import json_text

AUTHOR = "job:audit"
MOST_AT_ONCE = 32
"""Answers that one pass compares for one student."""


class Watched(NamedTuple):
    """What a pass has found, and done, about one student."""

    workload: str
    adapter: str
    share: float
    new: int
    """Answers compared by this pass."""
    verdict: Verdict
    done: str | None
    """In words, where something was changed."""


def audit(config: Config, workload: str) -> list[Watched]:
    """Every student of the workload that answers clients, the canary first; raises NightschoolError."""
    data = config.data
    place = data / "audits" / place_of(data, workload).name
    before = read_routing(data).students_of(workload)
    if not before.answering() and before.stage != "qualified":
        return []
    make_folder(place)
    with lock_at_once(place / "lock") as held:
        if not held:
            raise StoreBusy(f"another audit of {workload} is running", remedy="wait for its end")
        _begin_ramp(config, workload)
        students = read_routing(data).students_of(workload)
        history = read_history(data, workload)
        return [_watch(config, workload, students, placed, history) for placed in students.answering()]


def _watch(config: Config, workload: str, students: Students, placed: Placed, history: Sequence[Change]) -> Watched:
    promote = config.promote_of(workload)
    since = answering_since(history, placed)
    known = [each for each in audited_of(config.data, workload, placed.adapter) if each.time >= since]
    climbs = students.canary == placed and promote.mode == "automatic" and not students.held
    new: list[Audited] = []
    if promote.audit:
        wish = _wish(workload, students, placed, known, since, promote.audit, promote.step_audits)
        new = _compare(config, workload, sample(config.data, wish))
        keep(config.data, workload, placed.adapter, new)
    verdict = judge(placed, [*known, *new], promote, climbs=climbs)
    done = _follow(config, workload, placed, verdict)
    return Watched(workload, placed.adapter, placed.share, len(new), verdict, done)


def answering_since(history: Sequence[Change], placed: Placed) -> str:
    """When the adapter began to answer, without a break until now."""
    since = placed.since
    for change in reversed(history):
        if placed.adapter not in (each.adapter for each in change.after.answering()):
            break
        since = min(since, change.time)
    return since


def _wish(
    workload: str,
    students: Students,
    placed: Placed,
    known: Sequence[Audited],
    since: str,
    audit_share: float,
    step_audits: int,
) -> Wish:
    """On its way up every answer counts until there are enough at this share; then, and once live, some do."""
    at_step = sum(each.agreement is not None and each.time >= placed.since for each in known)
    missing = step_audits - at_step if students.canary == placed else 0
    first_us = _microseconds(placed.since if missing > 0 else since)
    last_us = max((_microseconds(each.time) for each in known), default=0) - SLACK_US
    return Wish(
        workload=workload,
        adapter=placed.adapter,
        since_us=max(first_us, last_us),
        alone=len(students.answering()) == 1,
        known=frozenset(each.exchange for each in known),
        share=100.0 if missing > 0 else audit_share,
        most=min(missing, MOST_AT_ONCE) if missing > 0 else MOST_AT_ONCE,
    )


def _compare(config: Config, workload: str, sampled: Sequence[Sampled]) -> list[Audited]:
    """Ask the teacher about each, record what it says, and score the student's answers by it."""
    if not sampled:
        return []
    answered = [each for each in sampled if not each.failed]
    known = recorded(config.data, [audit_id(each) for each in answered], answered[0].time_us if answered else 0)
    missing = [each for each in answered if audit_id(each) not in known]
    found = dict(zip([each.id for each in missing], asyncio.run(_ask(config, workload, missing)), strict=True))
    _record(config.data, [each.record for each in found.values() if each.record is not None])
    asked = [found[each.id] if each.id in found else Asked(known[audit_id(each)], None) for each in answered]
    scorer = _scorer(config, workload, asked)
    answers = iter(asked)
    return [_audited(each, None, scorer) if each.failed else _audited(each, next(answers), scorer) for each in sampled]


async def _ask(config: Config, workload: str, sampled: Sequence[Sampled]) -> list[Asked]:
    if not sampled:
        return []
    async with Teacher(config, workload) as teacher:
        return await teacher.ask_all(sampled)


def _record(data: Path, records: Sequence[Record]) -> None:
    if not records:
        return
    with Sealer(data) as sealer:
        for record in records:
            sealer.add(record)
        sealer.seal()
        publish(data, sealer.added_to)


def _scorer(config: Config, workload: str, asked: Sequence[Asked]) -> Scorer:
    """That of the evaluations, since by it the agreement at the gate was measured; else one that suits the answers."""
    settings = config.evaluate_of(workload)
    evaluated = newest_manifest(config.data, workload)
    if settings.scorer is None and evaluated is not None:
        return agreement_scorer(evaluated.scorer.name, settings)
    return agreement_scorer(choose(_examples(asked), settings.scorer).name, settings)


def _examples(asked: Sequence[Asked]) -> Iterator[dict[str, list[Message]]]:
    for each in asked:
        message = message_of(each.record.response) if each.record is not None else None
        if message is not None:
            yield {"messages": [message]}


def _audited(sampled: Sampled, asked: Asked | None, scorer: Scorer) -> Audited:
    time = _text(sampled.time_us)
    if asked is None:
        return Audited(exchange=sampled.id, time=time, agreement=0.0, problem="invalid_answer: its teacher stood in")
    if asked.record is None:
        return Audited(exchange=sampled.id, time=time, problem=asked.problem)
    teacher = message_of(asked.record.response)
    told = Audited(exchange=sampled.id, time=time, teacher=asked.record.id, cost_usd=asked.record.cost_usd)
    if teacher is None:
        return _with(told, None, "no_teacher_answer")
    scored = scorer(_question(sampled.request), message_of(sampled.response), teacher)
    return _with(told, scored.value if scored.is_measurement else None, scored.problem)


def _with(told: Audited, agreement: float | None, problem: str | None) -> Audited:
    return Audited(
        exchange=told.exchange,
        time=told.time,
        teacher=told.teacher,
        agreement=agreement,
        problem=problem,
        cost_usd=told.cost_usd,
    )


def _question(request: str) -> Question:
    body = json_text.decode(request.encode())
    return Question(body.get("messages") or [], body.get("tools") or [], body.get("response_format"))


def _begin_ramp(config: Config, workload: str) -> None:
    """A night that was killed in its last moment has left a qualified candidate."""
    promote = config.promote_of(workload)
    if promote.mode != "automatic":
        return

    def step(before: Students) -> Students:
        candidate = before.candidate
        waits = candidate is not None and candidate.qualified and candidate.adapter not in before.withdrawn
        if not waits or before.held or before.canary is not None:
            return before
        return advance(before, ramp=promote.ramp, now=_now())

    reason = "qualified, and nobody had begun its ramp"
    change_students(config.data, workload, step, author=AUTHOR, action="promote", reason=reason)


def _follow(config: Config, workload: str, placed: Placed, verdict: Verdict) -> str | None:
    """Make the change that a verdict asks for, if the students are still those that it is about."""
    promote = config.promote_of(workload)
    match verdict.advice:
        case "withdraw" if promote.on_harm == "rollback":
            action, words = "rollback", f"withdrawn: {verdict.why}"
        case "withdraw":
            action, words = "alarm", f"alarm, and held: {verdict.why}"
        case "widen":
            action, words = "ramp", verdict.why
        case "watch":
            return None

    def step(before: Students) -> Students:
        if action == "rollback":
            return roll_back(before, adapter=placed.adapter, now=_now())
        if action == "alarm":
            return hold(before)
        if before.held or before.canary != placed:
            return before
        return advance(before, ramp=promote.ramp, now=_now())

    change = change_students(config.data, workload, step, author=AUTHOR, action=action, reason=words)
    return None if change is None else words


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _microseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1e6)
