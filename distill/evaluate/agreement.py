"""How far a student's answers agree with the teacher's own, whatever was held to be true.

What the audit of a student that answers clients measures is this very number, on fresh questions: so the evaluation's
is what it is compared with.
"""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq

from distill.dataset.snapshot import place_of
from distill.evaluate.cases import all_cases
from distill.evaluate.result import ROWS, Manifest, evaluations_of, newest_manifest
from distill.score.choose import JUDGE, scorer_named
from distill.score.exact import EXACT
from distill.score.scorer import Message, Scorer
from distill.score.span_fields import SpanFields
from nightschool.config import Evaluate
from nightschool.wire import json_text


def agreement_scorer(name: str, settings: Evaluate) -> Scorer:
    """By the name of an evaluation's scorer. A judge gives way to equality: it costs, and here only change matters."""
    if name == JUDGE:
        return EXACT
    return scorer_named(name, SpanFields(**settings.spans.model_dump()))


def agreement_of(test_side: Path, rows: Path, scorer: Scorer) -> float | None:
    """Mean score of the student's test answers against the teacher's; None where there is no pair of them.

    ``test_side``: folder of the dataset; ``rows``: of the evaluation.
    """
    table = pq.read_table(rows, columns=["example", "system", "answer"])
    said = {row["example"]: row["answer"] for row in table.to_pylist() if row["system"] == "student"}
    scores = []
    for case in all_cases(test_side):
        if case.example not in said or case.teacher is None:
            continue
        scored = scorer(case.question, _message(said[case.example]), case.teacher)
        if scored.is_measurement:
            scores.append(scored.value)
    return math.fsum(scores) / len(scores) if scores else None


def agreement_in(data: Path, evaluation: Manifest, settings: Evaluate) -> float | None:
    """The same of a finished evaluation; the dataset that it was made with must still be there."""
    rows = evaluations_of(data, evaluation.workload) / evaluation.id / ROWS
    dataset = place_of(data, evaluation.workload) / evaluation.dataset.name
    return agreement_of(dataset, rows, agreement_scorer(evaluation.scorer.name, settings))


def last_agreement(data: Path, workload: str, adapter: str, settings: Evaluate) -> float | None:
    """What the newest evaluation of an adapter measured; None where there is none, or what it was made with is gone."""
    evaluation = newest_manifest(data, workload, adapter)
    if evaluation is None:
        return None
    try:
        return agreement_in(data, evaluation, settings)
    except FileNotFoundError:
        return None


def _message(answer: str | None) -> Message | None:
    """None for what was no answer."""
    try:
        message = json_text.decode((answer or "").encode())
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.get("role") == "assistant" else None
