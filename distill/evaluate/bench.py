"""Where marks are given: by the scorer that was chosen, and by the judge if there is one.

Marks go to the file in the order of systems and cases, a few at a time, whatever order a judge answers in.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from distill.evaluate.answers import KeptAnswers
from distill.evaluate.cases import Case, Survey, all_cases, slices_of
from distill.evaluate.judging import Judging
from distill.evaluate.marks import TRUTHS, Facts, Mark, Marker
from distill.evaluate.result import JudgeUsed, rows_file, table_of
from distill.judge.ask import JudgeUnavailable
from distill.judge.budget import Budget
from distill.judge.calibrate import Calibration
from distill.judge.family import relatives
from distill.judge.judge import Judge
from distill.judge.kept import kept_verdicts
from distill.judge.rubric import rubric_hash
from distill.score.choose import JUDGE, Choice, scorer_named
from distill.score.exact import EXACT
from distill.score.scorer import Message, Scorer
from distill.score.span_fields import SpanFields
from nightschool.extras import installation
from nightschool.store.query import ask
from nightschool.store.reader import parquet

if TYPE_CHECKING:
    from distill.evaluate.order import Order
    from distill.judge.client import JudgeClient

_AT_ONCE = 128
"""Marks that are in memory."""
_ANSWER_TOKENS = 1_000
_PROBED = 50
_NO_REFERENCE: Message = {"role": "assistant", "content": None}


class Bench:
    """Gives marks to the answers of a run."""

    def __init__(
        self,
        marker: Marker,
        judging: Judging | None,
        judge: Judge | None,
        client: JudgeClient | None,
        facts: dict[str, Facts],
        models: list[str],
        no_judge: bool,
    ) -> None:
        self.no_judge = no_judge
        """Only a judge could tell, and none is named: equality stands in."""
        self._marker, self._judging, self._judge, self._client = marker, judging, judge, client
        self._facts, self._models = facts, models
        self._truths: Counter[str] = Counter()

    @property
    def truths(self) -> dict[str, int]:
        """Cases by what was held to be true, the best first."""
        return {truth: self._truths[truth] for truth in TRUTHS if self._truths[truth]}

    async def mark_all(
        self,
        systems: Sequence[str],
        cases: Callable[[], Iterable[Case]],
        survey: Survey,
        kept: KeptAnswers,
        path: Path,
        done: Callable[[], object],
    ) -> None:
        """Write the marks of the teacher and of every system."""
        gate = asyncio.Semaphore(self._judging.config.concurrency if self._judging else 1)

        async def generated(system: str, case: Case) -> Mark:
            answer = kept.get(system, case.example)
            assert answer is not None
            async with gate:
                mark = await self._marker.of(answer, case, self._slices(case, survey))
            done()
            return mark

        try:
            with rows_file(path) as file:
                await self._write(file, systems, cases, survey, generated, done)
        finally:
            if self._client is not None:
                await self._client.close()

    async def _write(
        self,
        file: pq.ParquetWriter,
        systems: Sequence[str],
        cases: Callable[[], Iterable[Case]],
        survey: Survey,
        generated: Callable[[str, Case], Awaitable[Mark]],
        done: Callable[[], object],
    ) -> None:
        for some in _some(cases()):
            self._truths.update(self._marker.truth_of(case) for case in some)
            file.write_table(table_of([self._teachers(case, survey) for case in some]))
            for _ in some:
                done()
        for system in systems:
            for some in _some(cases()):
                file.write_table(table_of(await _all([generated(system, case) for case in some])))

    def _teachers(self, case: Case, survey: Survey) -> Mark:
        return self._marker.teachers(case, self._slices(case, survey), self._facts.get(case.example, Facts()))

    def _slices(self, case: Case, survey: Survey) -> list[str]:
        return slices_of(case, survey, self._marker.truth_of(case))

    def judge_used(self, calibration: Calibration | None) -> JudgeUsed | None:
        if self._judging is None or self._judge is None:
            return None
        config = self._judging.config
        return JudgeUsed(
            upstream=config.upstream,
            model=config.model,
            rubric=self._judging.rubric,
            rubric_hash=rubric_hash(self._judging.rubric),
            counts=self._judge.counts,
            relatives=relatives(config.model, self._models),
            calibration=calibration,
        )


@contextmanager
def open_bench(order: Order, choice: Choice, place: Path) -> Iterator[Bench]:
    """The bench of a run; new verdicts are in the store when the block ends."""
    scorer = EXACT if choice.name == JUDGE else scorer_named(choice.name, _spans(order))
    verifies = ":" in choice.name and verifies_alone(scorer, islice(all_cases(order.test_side), _PROBED))
    judging = None if verifies else order.judging
    facts, models = _teachers_facts(order.data, order.test_side)
    with ExitStack() as stack:
        judge, client = None, None
        if judging is not None:
            client = _client(judging)
            kept = stack.enter_context(
                kept_verdicts(order.data, place / "verdicts.jsonl", workload=order.workload, model=judging.config.model)
            )
            budget = Budget(judging.config.max_usd, judging.config.max_calls, judging.price, _ANSWER_TOKENS)
            judge = Judge(
                client, kept, budget, workload=order.workload, model=judging.config.model, rubric=judging.rubric
            )
        of_interest = "student" if order.candidate.name else "few_shot" if order.settings.few_shot else "base"
        marker = Marker(scorer, verifies=verifies, judge=judge, calibrated=of_interest if judge else None)
        yield Bench(marker, judging, judge, client, facts, models, choice.name == JUDGE and judging is None)


def verifies_alone(scorer: Scorer, cases: Iterable[Case]) -> bool:
    """Whether a function knows what is right by itself: what it says of an answer is the same without a reference."""
    return all(
        scorer(case.question, case.teacher, case.reference) == scorer(case.question, case.teacher, _NO_REFERENCE)
        for case in cases
        if case.teacher is not None
    )


def _client(judging: Judging) -> JudgeClient:
    try:
        from distill.judge.client import JudgeClient
    except ModuleNotFoundError as error:
        raise JudgeUnavailable(
            f"a judge is asked by the package {error.name!r}, which is not installed",
            remedy=f"{installation('distill')}, or leave `evaluate.judge` out",
        ) from error
    return JudgeClient(judging.config, judging.upstream)


async def _all(marks: list[Awaitable[Mark]]) -> list[Mark]:
    """In their order. One that raises stops the others."""
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(mark)) for mark in marks]
    except* JudgeUnavailable as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(mark: Awaitable[Mark]) -> Mark:
    return await mark


def _some(cases: Iterable[Case]) -> Iterator[list[Case]]:
    cases = iter(cases)
    while some := list(islice(cases, _AT_ONCE)):
        yield some


def _teachers_facts(data: Path, test_side: Path) -> tuple[dict[str, Facts], list[str]]:
    """By exchange what it took, and the models that answered; of exchanges that are gone nothing is known."""
    wanted = f"(select unnest(exchange_ids) as id from {parquet([test_side / 'test.parquet'])})"
    query = f"""
        select id, latency_ms, prompt_tokens, completion_tokens, cost_usd, coalesce(model_served, model_requested)
        from exchanges semi join {wanted} using (id)"""
    rows = ask(data, lambda store: store.execute(query).fetchall())
    facts = {identity: Facts(*told) for identity, *told, _ in rows}
    return facts, sorted({model for *_, model in rows if model})


def _spans(order: Order) -> SpanFields:
    names = order.settings.spans
    return SpanFields(list=names.list, value=names.value, type=names.type)
