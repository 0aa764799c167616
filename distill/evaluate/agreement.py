"""How far a student's answers agree with the teacher's own, whatever was held to be true.

What the audit of a student that answers clients measures is this very number, on fresh questions: so the evaluation's
is what it is compared with.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from distill.dataset.snapshot import place_of
from distill.evaluate.answers import REFUSED
from distill.evaluate.cases import all_cases
from distill.evaluate.intervals import mean_of
from distill.evaluate.result import ROWS, Manifest, evaluations_of, newest_manifest
from distill.score.choose import JUDGE, scorer_named
from distill.score.exact import EXACT
from distill.score.scorer import Message, Scorer, kind_of
from distill.score.span_fields import SpanFields
from nightschool.config import Evaluate
from nightschool.registry.routing import Measure
from nightschool.wire import json_text


class Agreement(NamedTuple):
    """A mean of scores, and by what they were measured; neither where nobody can tell."""

    value: float | None = None
    measure: Measure | None = None


def measure_of(evaluation: Manifest, settings: Evaluate) -> Measure:
    """That of an evaluation. A judge gives way to equality: it costs, and here only change matters.

    ``settings``: of today, for evaluations that do not say where the spans are.
    """
    name = evaluation.scorer.name
    if name != "spans":
        return Measure(scorer=EXACT.name if name == JUDGE else name)
    today = settings.spans.model_dump(exclude_none=True)
    return Measure(scorer=name, spans=evaluation.settings.get("spans", today) or {})


def agreement_scorer(measure: Measure) -> Scorer:
    """Raises UnknownScorer where a function of the user's is gone."""
    return scorer_named(measure.scorer, SpanFields(**measure.spans))


def agreement_of(test_side: Path, rows: Path, scorer: Scorer) -> float | None:
    """Mean score of the student's test answers against the teacher's, a group counting once; None without any.

    What its engine had refused is no answer: a client would not have got one either, and the audit does not see it.
    ``test_side``: folder of the dataset; ``rows``: of the evaluation.
    """
    table = pq.read_table(rows, columns=["example", "system", "answer", "problem"])
    students = [row for row in table.to_pylist() if row["system"] == "student"]
    said = {row["example"]: row["answer"] for row in students if kind_of(row["problem"] or "") != REFUSED}
    scores: dict[str, list[float]] = defaultdict(list)
    for case in all_cases(test_side):
        if case.example not in said or case.teacher is None:
            continue
        scored = scorer(case.question, _message(said[case.example]), case.teacher)
        if scored.is_measurement:
            scores[case.group].append(scored.value)
    return mean_of(map(mean_of, scores.values())) if scores else None


def agreement_in(data: Path, evaluation: Manifest, settings: Evaluate) -> Agreement:
    """The same of a finished evaluation; the dataset that it was made with must still be there."""
    rows = evaluations_of(data, evaluation.workload) / evaluation.id / ROWS
    dataset = place_of(data, evaluation.workload) / evaluation.dataset.name
    measure = measure_of(evaluation, settings)
    value = agreement_of(dataset, rows, agreement_scorer(measure))
    return Agreement() if value is None else Agreement(value, measure)


def last_agreement(data: Path, workload: str, adapter: str, settings: Evaluate) -> Agreement:
    """What an adapter's newest evaluation measured; nothing where there is none, or what it was made with is gone."""
    evaluation = newest_manifest(data, workload, adapter)
    if evaluation is None:
        return Agreement()
    try:
        return agreement_in(data, evaluation, settings)
    except FileNotFoundError:
        return Agreement()


def _message(answer: str | None) -> Message | None:
    """None for what was no answer."""
    try:
        message = json_text.decode((answer or "").encode())
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.get("role") == "assistant" else None
