"""How far a student's answers agree with the teacher's own, whatever was held to be true.

What the audit of a student that answers clients measures is this very number, on fresh questions: so the evaluation's
is what it is compared with.
"""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq

from distill.evaluate.cases import all_cases
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


def _message(answer: str | None) -> Message | None:
    """None for what was no answer."""
    try:
        message = json_text.decode((answer or "").encode())
    except ValueError:
        return None
    return message if isinstance(message, dict) and message.get("role") == "assistant" else None
