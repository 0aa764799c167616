"""Pairs of answers -> preferences: both orders, known verdicts first, within the budget.

identical -> a tie without a question
else        first/second and second/first -> the same answer twice, or a tie
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec

from distill.judge.ask import Ask, QuestionFailed
from distill.judge.budget import Budget
from distill.judge.kept import KeptVerdicts
from distill.judge.rubric import AGAIN, key_of, prompt_of
from distill.judge.verdict import SCORES, Read, prefer, read_verdict
from distill.score.message import canonical
from distill.score.scorer import Message, problem
from nightschool.record import Verdict
from nightschool.wire import json_text

JUDGE_UNREADABLE = "judge_unreadable"
JUDGE_BUDGET = "judge_budget"
JUDGE_FAILED = "judge_failed"


class Pair(NamedTuple):
    """An answer, and the one that it is compared with."""

    exchange_id: str
    question: list[Message]
    tools: list[Any]
    answer: Message
    against: Message


class Judged(NamedTuple):
    """How the answer did: 1 better, 0.5 as good, 0 worse; None with the problem why there is no verdict."""

    score: float | None
    problem: str | None = None
    reason: str = ""


class Counts(msgspec.Struct):
    """What a judge did in a run."""

    pairs: int = 0
    identical: int = 0
    """Pairs that needed no question."""
    asked: int = 0
    """Questions to the upstream; a question whose reply could not be read is asked twice."""
    known: int = 0
    """Verdicts that had been given before."""
    inconsistent: int = 0
    """Pairs whose verdict depended on the order; they are ties."""
    unreadable: int = 0
    """Pairs without a verdict, since a reply could not be read."""
    over_budget: int = 0
    failed: int = 0
    spent_usd: float | None = None
    """None where the judge has no price."""


class _NoVerdict(Exception):
    """A pair gets no verdict, for the problem in the text."""


class Judge:
    """Compares pairs, several at once if it is asked so."""

    def __init__(self, ask: Ask, kept: KeptVerdicts, budget: Budget, *, workload: str, model: str, rubric: str) -> None:
        self.counts = Counts()
        self._ask, self._kept, self._budget = ask, kept, budget
        self._workload, self._model, self._rubric = workload, model, rubric

    async def compare(self, pair: Pair) -> Judged:
        """The preference of both orders; raises JudgeUnavailable."""
        self.counts.pairs += 1
        if canonical(pair.answer) == canonical(pair.against):
            self.counts.identical += 1
            return Judged(SCORES["tie"], None, "the answers are equal")
        try:
            forth = await self._verdict(pair, pair.answer, pair.against)
            back = await self._verdict(pair, pair.against, pair.answer)
        except _NoVerdict as error:
            return Judged(None, str(error))
        finally:
            self.counts.spent_usd = None if self._budget.price is None else self._budget.spent_usd
        preference = prefer(forth, back)
        if preference.outcome is None:
            self.counts.unreadable += 1
            return Judged(None, problem(JUDGE_UNREADABLE, "the judge's reply holds no verdict"))
        self.counts.inconsistent += not preference.consistent
        return Judged(SCORES[preference.outcome], None, preference.reason)

    async def _verdict(self, pair: Pair, first: Message, second: Message) -> Read | None:
        question = json_text.canonical([pair.question, pair.tools])
        key = key_of(self._model, self._rubric, question, canonical(first), canonical(second))
        if key in self._kept:
            self.counts.known += 1
            return self._kept[key]
        prompt = prompt_of(self._rubric, pair.question, pair.tools, first, second)
        verdict = await self._asked(prompt, pair.exchange_id, key)
        self._kept.keep(verdict)
        return self._kept[key]

    async def _asked(self, prompt: list[Message], exchange_id: str, key: str) -> Verdict:
        """Ask, and ask again where the reply cannot be read; what both cost together is kept."""
        cost: float | None = 0.0
        tokens = [0, 0]
        read, messages = None, prompt
        for _ in range(2):
            text, paid, counts = await self._paid(messages)
            cost = None if cost is None or paid is None else cost + paid
            tokens = [total + (count or 0) for total, count in zip(tokens, counts, strict=True)]
            if read := read_verdict(text):
                break
            messages = [*prompt, {"role": "assistant", "content": text or "(nothing)"}, _user(AGAIN)]
        return Verdict(
            exchange_id=exchange_id,
            time_us=time.time_ns() // 1000,
            key=key,
            workload=self._workload,
            model=self._model,
            better=read.better if read else None,
            reason=read.reason if read else None,
            prompt_tokens=tokens[0] or None,
            completion_tokens=tokens[1] or None,
            cost_usd=cost,
        )

    async def _paid(self, messages: list[Message]) -> tuple[str, float | None, tuple[int | None, int | None]]:
        estimate = self._budget.take(len(json_text.encode(messages)))
        if estimate is None:
            self.counts.over_budget += 1
            raise _NoVerdict(problem(JUDGE_BUDGET, "the limit of this run was reached"))
        cost: float | None = 0.0
        try:
            self.counts.asked += 1
            reply = await self._ask(messages)
            cost = self._budget.cost(reply.prompt_tokens, reply.completion_tokens)
        except QuestionFailed as error:
            self.counts.failed += 1
            raise _NoVerdict(problem(JUDGE_FAILED, str(error))) from error
        finally:
            self._budget.settle(estimate, cost)
        return reply.text, cost, (reply.prompt_tokens, reply.completion_tokens)


def _user(text: str) -> Message:
    return {"role": "user", "content": text}
