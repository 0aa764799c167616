"""Answers and truths -> precision, recall, F1 (micro), the share of answers that have the right form."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import msgspec

from bench.distill.task import Case, Counts, Judge, Message

RESAMPLES = 2_000


class Score(msgspec.Struct, kw_only=True, frozen=True):
    """Of all answers of one set. Where every answer says one thing, precision, recall and F1 are the accuracy."""

    rows: tuple[Counts, ...]
    """Of every answer."""
    valid: int
    """Answers of the form that was asked for."""

    @property
    def precision(self) -> float:
        return _share(self.rows, 1)

    @property
    def recall(self) -> float:
        return _share(self.rows, 2)

    @property
    def f1(self) -> float:
        return f1_of(self.rows)

    @property
    def interval(self) -> tuple[float, float]:
        """Of F1, 95 %: rows drawn again with replacement."""
        roll = random.Random(0)
        drawn = sorted(f1_of(roll.choices(self.rows, k=len(self.rows))) for _ in range(RESAMPLES))
        return drawn[round(0.025 * RESAMPLES)], drawn[round(0.975 * RESAMPLES)]


def score(answers: Iterable[Message | None], cases: Sequence[Case], judge: Judge) -> Score:
    """Compare every answer with the truth of its case."""
    judged = [judge(answer, case.truth) for answer, case in zip(answers, cases, strict=True)]
    return Score(rows=tuple(counts for counts, _ in judged), valid=sum(valid for _, valid in judged))


def f1_of(rows: Iterable[Counts]) -> float:
    """2 · right / (said + true); 1 where there is nothing to say and nothing is said."""
    right, said, true = (sum(column) for column in zip(*rows, strict=True))
    return 2 * right / (said + true) if said + true else 1.0


def _share(rows: Iterable[Counts], column: int) -> float:
    right, whole = (sum(row[place] for row in rows) for place in (0, column))
    return right / whole if whole else 0.0
