"""Answers -> marks: a score for every answer of every system, by the best truth there is.

    label > verifier (a function of the user's) > judge > the teacher's own answer

By the last the teacher is right by definition, and a student can reach it, never beat it. What could not be scored has
no score and a problem; it counts for nothing, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from distill.evaluate.answers import REFUSED, Answer
from distill.evaluate.cases import Case
from distill.judge.judge import Judge, Pair
from distill.judge.verdict import SCORES
from distill.score.contract import fault_of_call, fault_of_json, must_be_json, toolbox_of
from distill.score.message import calls_of, says_nothing, text_of, value_of
from distill.score.refusal import is_refusal
from distill.score.scorer import INVALID_ANSWER, Message, Question, Scored, Scorer, kind_of, problem
from nightschool.wire import json_text

Truth = Literal["label", "verifier", "judge", "teacher"]
TRUTHS: tuple[Truth, ...] = ("label", "verifier", "judge", "teacher")
"""The best first."""
TEACHER = "teacher"
NO_TEACHER_ANSWER = "no_teacher_answer"


class Mark(msgspec.Struct, kw_only=True, frozen=True):
    """One row of ``rows.parquet``."""

    group: str
    example: str
    system: str
    score: float | None
    problem: str | None
    truth: Truth
    slices: list[str]
    answer: str | None
    """JSON of the message; of an answer that is none, what was written."""
    valid: bool | None
    """Whether it keeps to the tools and schemas of its request."""
    refusal: bool
    judge: float | None = None
    """What the judge says of a labelled row, without knowing the label: for calibration."""
    reason: str | None = None
    latency_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None


class Facts(NamedTuple):
    """What an exchange had cost, and how long it had taken."""

    latency_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None


class Marker:
    """Scores answers, one case at a time."""

    def __init__(self, scorer: Scorer, *, verifies: bool, judge: Judge | None, calibrated: str | None) -> None:
        """``verifies``: the scorer knows what is right by itself. The system ``calibrated`` is judged on labels too."""
        self._scorer = scorer
        self._verifies = verifies
        self._judge = judge
        self._calibrated = calibrated

    def truth_of(self, case: Case) -> Truth:
        if case.labelled:
            return "label"
        if self._verifies:
            return "verifier"
        return "teacher" if self._judge is None else "judge"

    def teachers(self, case: Case, slices: list[str], facts: Facts) -> Mark:
        """The mark of what the teacher had answered."""
        truth, message = self.truth_of(case), case.teacher
        if message is None:
            scored = _Scored(None, problem(NO_TEACHER_ANSWER, "it was cut, filtered, or broke its schema"))
        elif truth == "judge":
            scored = _Scored(SCORES["tie"])
        else:
            scored = _score(self._scorer(case.question, message, case.reference))
        return _mark(case, TEACHER, truth, slices, scored, message=message, told=facts._asdict())

    async def of(self, answer: Answer, case: Case, slices: list[str]) -> Mark:
        """The mark of a generated answer; raises JudgeUnavailable."""
        truth = self.truth_of(case)
        scored = await self._scored(answer, case, truth)
        blind = None
        if truth == "label" and answer.system == self._calibrated:
            blind = (await self._judged(answer, case)).score
        told = {name: getattr(answer, name) for name in Facts._fields}
        return _mark(
            case, answer.system, truth, slices, scored, message=answer.message, told=told, raw=answer.raw, blind=blind
        )

    async def _scored(self, answer: Answer, case: Case, truth: Truth) -> _Scored:
        if answer.problem is not None and kind_of(answer.problem) == REFUSED:
            return _Scored(None, answer.problem)
        if truth == "judge":
            return await self._judged(answer, case)
        found = _score(self._scorer(case.question, answer.message, case.reference))
        return found._replace(problem=answer.problem) if answer.problem and found.score is not None else found

    async def _judged(self, answer: Answer, case: Case) -> _Scored:
        if self._judge is None or case.teacher is None:
            return _Scored(None)
        if answer.message is None or says_nothing(answer.message):
            return _Scored(SCORES["loss"], answer.problem or problem(INVALID_ANSWER, "it says nothing"))
        question = case.question
        pair = Pair(case.example, question.messages, question.tools, answer.message, case.teacher)
        judged = await self._judge.compare(pair)
        return _Scored(judged.score, judged.problem or answer.problem, judged.reason or None)


def keeps_contract(question: Question, message: Message | None) -> bool:
    """Whether an application that trusts its own tools and schemas could use the answer."""
    if message is None or says_nothing(message):
        return False
    tools = toolbox_of(question)
    if any(fault_of_call(call, tools) for call in calls_of(message)):
        return False
    return not must_be_json(message, question) or fault_of_json(value_of(text_of(message)), question) is None


class _Scored(NamedTuple):
    score: float | None
    problem: str | None = None
    reason: str | None = None


def _score(scored: Scored) -> _Scored:
    """No number where it measures nothing: it would be taken for a zero."""
    return _Scored(scored.value if scored.is_measurement else None, scored.problem)


def _mark(
    case: Case,
    system: str,
    truth: Truth,
    slices: list[str],
    scored: _Scored,
    *,
    message: Message | None,
    told: Mapping[str, Any],
    raw: str | None = None,
    blind: float | None = None,
) -> Mark:
    nothing = message is None and raw is None
    return Mark(
        group=case.group,
        example=case.example,
        system=system,
        score=scored.score,
        problem=scored.problem,
        truth=truth,
        slices=slices,
        answer=raw if message is None else json_text.encode(message).decode(),
        valid=None if nothing else keeps_contract(case.question, message),
        refusal=is_refusal(message),
        judge=blind,
        reason=scored.reason,
        **told,
    )
