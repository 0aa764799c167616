"""One pass of the audit over one workload.

    who answers -> sample -> ask the teacher -> record -> score -> keep -> judge -> withdraw, widen, or nothing

A pass takes seconds, and may be killed anywhere: an answer is on the disk as soon as it is there, what is recorded is
not asked again, and a judgement is made anew from all that is kept. A teacher that is unwell holds up no judgement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from distill.audit.arrived import Arrived
from distill.audit.audited import Audited, file_of, keep
from distill.audit.bar import NoBar, bar_of
from distill.audit.sample import SLACK_US, Sampled, Wish, recorded, sample
from distill.audit.tally import Scope, put_together, standing
from distill.audit.teacher import AT_ONCE, Asked, Teacher, audit_id
from distill.audit.verdict import Verdict, judge, untold
from distill.dataset.snapshot import place_of
from distill.evaluate.agreement import agreement_scorer
from distill.labels.answer import logged_answer
from distill.score.own import UnknownScorer
from distill.score.scorer import Question, Scorer
from nightschool.config import Config, Promote
from nightschool.errors import StoreBusy
from nightschool.registry.change import Change, answering_since, change_students, read_history
from nightschool.registry.routing import Measure, Placed, Students, read_routing, this_moment
from nightschool.registry.steps import advance, hold, roll_back
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once
from nightschool.wire import json_text

AUTHOR = "job:audit"
MOST_AT_ONCE = 32
"""Answers that one pass compares for one student."""


class Watched(msgspec.Struct, frozen=True):
    """What a pass has found, and done, about one student."""

    workload: str
    adapter: str
    share: float
    new: int
    """Answers compared by this pass."""
    verdict: Verdict
    done: str | None
    """In words, where something was changed."""
    failure: str | None = None
    """What a person has to see to, and how."""


def audit(config: Config, workload: str) -> list[Watched]:
    """Every student of the workload that answers clients, the canary first; raises NightschoolError.

    A teacher that cannot be asked is no error but a ``failure``: what is known about a student counts all the same.
    """
    data = config.data
    place = data / "audits" / place_of(data, workload).name
    before = read_routing(data).students_of(workload)
    if not before.answering() and before.next_up is None:
        return []
    make_folder(place)
    with lock_at_once(place / "lock") as held:
        if not held:
            raise StoreBusy(f"another audit of {workload} is running", remedy="wait for its end")
        _begin_ramp(config, workload)
        students = read_routing(data).students_of(workload)
        history = read_history(data, workload)
        with Arrived(data, place) as arrived:
            return [_watch(config, workload, students, placed, history, arrived) for placed in students.answering()]


def _watch(
    config: Config, workload: str, students: Students, placed: Placed, history: Sequence[Change], arrived: Arrived
) -> Watched:
    promote = config.promote_of(workload)
    since = answering_since(history, placed)
    bar = bar_of(config.data, workload, placed, promote, config.evaluate_of(workload))
    new, failure = 0, None
    if isinstance(bar, NoBar):
        failure = f"{placed.adapter} is not audited: {bar.why}" if promote.audit else None
        verdict = untold(bar, promote)
    else:
        scope = Scope(since, placed.since, bar.measure, bar.value)
        if promote.audit:
            new, failure = _add(config, workload, students, placed, scope, arrived)
        tally = standing(file_of(config.data, workload, placed.adapter), scope).tally
        climbs = students.canary == placed and promote.mode == "automatic" and not students.held
        verdict = judge(placed, tally, promote, climbs=climbs)
    done = _follow(config, workload, placed, verdict)
    if failure is None and done is None and _is_untold(promote, placed, verdict, since, history):
        failure = (
            f"{placed.adapter} has become worse than is tolerated, and nothing is done about it, as "
            f"promote.on_harm says\n  try: `nightschool rollback {workload}`"
        )
    return Watched(workload, placed.adapter, placed.share, new, verdict, done, failure)


def _add(
    config: Config, workload: str, students: Students, placed: Placed, scope: Scope, arrived: Arrived
) -> tuple[int, str | None]:
    """Compare and keep what is new: how many answers that is, and why it is not more."""
    promote, journal = config.promote_of(workload), file_of(config.data, workload, placed.adapter)
    before = put_together(journal, scope)
    missing = promote.step_audits - before.tally.step.conversations if students.canary == placed else 0
    wish = _wish(workload, placed, before.recent, scope.since, promote.audit, missing)
    new, failure = _compare(config, workload, placed, scope.measure, wish, arrived)
    keep(config.data, workload, placed.adapter, new)
    return len(new), failure


def _wish(
    workload: str, placed: Placed, recent: Sequence[Audited], since: str, audit_share: float, missing: int
) -> Wish:
    """On its way up every answer counts until no conversation is ``missing`` at this share; then, and live, some do."""
    first_us = _microseconds(placed.since if missing > 0 else since)
    last_us = max((_microseconds(each.time) for each in recent), default=0) - SLACK_US
    return Wish(
        workload=workload,
        adapter=placed.adapter,
        since_us=max(first_us, last_us),
        known=frozenset(each.exchange for each in recent),
        share=100.0 if missing > 0 else audit_share,
        # Several at least, so that one question that the teacher always fails at does not stand alone in the way.
        most=min(max(missing, AT_ONCE), MOST_AT_ONCE) if missing > 0 else MOST_AT_ONCE,
    )


def _compare(
    config: Config, workload: str, placed: Placed, measure: Measure, wish: Wish, arrived: Arrived
) -> tuple[list[Audited], str | None]:
    """Have the teacher asked about each, and score the student's answers by what it says; and why it said nothing.

    Up to the last that the teacher has answered before the first that is to be asked again: what a student failed at
    needs no teacher, and would count alone.
    """
    try:
        scorer = agreement_scorer(measure)
    except UnknownScorer as error:  # its bar was measured by no other, so nobody need be asked
        return [], str(error)
    sampled = sample(config.data, wish)
    answered = [each for each in sampled if not each.failed]
    found = dict(zip([each.id for each in answered], _asked(config, workload, answered, arrived), strict=True))
    audited: list[Audited] = []
    answered_up_to = 0
    for each in sampled:
        asked = found.get(each.id)
        if asked is not None and asked.failure is not None:
            return audited[:answered_up_to], str(asked.failure)
        audited.append(replace(_audited(each, asked, scorer), share=placed.share, measure=measure))
        if asked is not None:
            answered_up_to = len(audited)
    return audited, None


def _asked(config: Config, workload: str, sampled: Sequence[Sampled], arrived: Arrived) -> list[Asked]:
    """What the teacher says to each; to those that a killed pass has asked, what it said then."""
    if not sampled:
        return []
    known = recorded(config.data, [audit_id(each) for each in sampled], sampled[0].time_us)
    missing = [each for each in sampled if audit_id(each) not in known]
    found = asyncio.run(_ask(config, workload, missing, arrived)) if missing else []
    arrived.file()
    told = {each.id: asked for each, asked in zip(missing, found, strict=True)}
    return [told[each.id] if each.id in told else Asked(known[audit_id(each)]) for each in sampled]


async def _ask(config: Config, workload: str, sampled: Sequence[Sampled], arrived: Arrived) -> list[Asked]:
    async with Teacher(config, workload) as teacher:
        return await teacher.ask_all(sampled, arrived.keep)


def _audited(sampled: Sampled, asked: Asked | None, scorer: Scorer) -> Audited:
    """``asked``: None where the student has failed, and nobody need be asked."""
    told = Audited(exchange=sampled.id, time=_text(sampled.time_us), conversation=sampled.conversation)
    if asked is None:
        return replace(told, agreement=0.0, problem="invalid_answer: the proxy refused it")
    if asked.record is None:
        return replace(told, problem=asked.problem)
    told = replace(told, teacher=asked.record.id, cost_usd=asked.record.cost_usd)
    teacher = logged_answer(asked.record.response)
    if teacher is None:
        return replace(told, problem="no_teacher_answer")
    scored = scorer(_question(sampled.request), logged_answer(sampled.response), teacher)
    return replace(told, agreement=scored.value if scored.is_measurement else None, problem=scored.problem)


def _question(request: str) -> Question:
    body = json_text.decode(request.encode())
    return Question(body.get("messages") or [], body.get("tools") or [], body.get("response_format"))


def _begin_ramp(config: Config, workload: str) -> None:
    """For a qualified one that waited for the canary before it, or that a night killed in its last moment has left."""
    promote = config.promote_of(workload)
    if promote.mode != "automatic":
        return

    def step(before: Students) -> Students:
        waits = before.next_up is not None and before.next_up.adapter not in before.withdrawn
        if not waits or before.held or before.canary is not None:
            return before
        return advance(before, ramp=promote.ramp, now=this_moment())

    reason = "qualified, and no canary is on its way"
    change_students(config.data, workload, step, author=AUTHOR, action="promote", reason=reason)


def _follow(config: Config, workload: str, placed: Placed, verdict: Verdict) -> str | None:
    """Make the change that a verdict asks for, if the students are still those that it is about."""
    promote = config.promote_of(workload)
    match verdict.advice:
        case "withdraw" if promote.on_harm == "rollback":
            action, words = "rollback", f"withdrawn: {verdict.why}"
        case "withdraw":
            action, words = "alarm", f"alarm about {placed.adapter}, and held: {verdict.why}"
        case "widen":
            action, words = "ramp", verdict.why
        case "watch":
            return None

    def step(before: Students) -> Students:
        if action == "rollback":
            return roll_back(before, adapter=placed.adapter, now=this_moment())
        if action == "alarm":
            return hold(before)
        if before.held or before.canary != placed:
            return before
        return advance(before, ramp=promote.ramp, now=this_moment())

    change = change_students(config.data, workload, step, author=AUTHOR, action=action, reason=words)
    if change is None:
        return None
    share = next((each.share for each in change.after.answering() if each.adapter == placed.adapter), 0.0)
    return f"{words}; now at {share:g} %" if action == "ramp" else words


def _is_untold(promote: Promote, placed: Placed, verdict: Verdict, since: str, history: Sequence[Change]) -> bool:
    """An alarm that holds the students is told as that change; but somebody may have held them already."""
    if verdict.advice != "withdraw" or promote.on_harm != "notify":
        return False
    alarms = [change for change in history if change.action == "alarm" and change.time >= since]
    return not any(placed.adapter in change.reason for change in alarms)


def _text(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _microseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1e6)
