"""``rows.parquet`` -> the figures of a report: scores with intervals, differences, slices, cost, latency.

A group counts once, with the mean of its rows, as it does for the gate. Intervals hold 95 %: Wilson's where a system is
only ever right or wrong, else a bootstrap over groups; of differences a bootstrap over the same groups of both.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow.parquet as pq

from distill.evaluate.intervals import Interval, interval_of, mcnemar, mean_of, score_interval
from distill.evaluate.marks import TEACHER
from distill.gate.evidence import Measured
from distill.judge.calibrate import Calibration, calibrate
from distill.score.scorer import kind_of

SYSTEMS = ("student", "live", "few_shot", "base", TEACHER)
"""In the order of interest."""
_COLUMNS = [
    "group", "example", "system", "score", "problem", "truth", "slices", "valid", "refusal", "judge",
    "latency_ms", "prompt_tokens", "completion_tokens", "cost_usd",
]  # fmt: skip

Row = Mapping[str, Any]


class SystemFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How one system did."""

    name: str
    rows: int
    """With a score."""
    groups: int
    score: Interval | None
    interval: str
    """How the interval came about: ``Wilson`` or ``bootstrap``."""
    difference: Interval | None
    """To the teacher, on groups that both have scores of."""
    better: int
    """Groups."""
    worse: int
    problems: dict[str, int]
    measured: Measured
    p50_latency_ms: float | None
    tokens_per_answer: float | None


class SliceFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How the system of interest did on a part of the traffic."""

    name: str
    groups: int
    teacher: float
    system: float
    difference: Interval


class Pair(NamedTuple):
    """One example and what the difference to the teacher is."""

    example: str
    difference: float


class Figures(NamedTuple):
    """All figures of an evaluation."""

    systems: list[SystemFigures]
    of_interest: str
    """The student, or without one the best that the base model could do."""
    slices: list[SliceFigures]
    worse: list[Pair]
    better: list[Pair]
    mcnemar: float | None
    """p that as many groups would be better as worse, if only right and wrong are told."""
    calibration: Calibration | None


def figures_of(rows_file: Path, *, examples: int = 10) -> Figures:
    """Read the rows, without their texts, and reckon."""
    by_system: dict[str, list[Row]] = defaultdict(list)
    with pq.ParquetFile(rows_file) as file:
        for batch in file.iter_batches(columns=_COLUMNS):
            for row in batch.to_pylist():
                by_system[row["system"]].append(row)
    teacher = by_system.get(TEACHER, [])
    names = [name for name in SYSTEMS if name in by_system]
    of_interest = _of_interest(by_system)
    rows = by_system[of_interest]
    pairs = _pairs(rows, teacher)
    return Figures(
        systems=[_system(name, by_system[name], teacher) for name in names],
        of_interest=of_interest,
        slices=_slices(rows, teacher),
        worse=sorted((pair for pair in pairs if pair.difference < 0), key=lambda pair: pair.difference)[:examples],
        better=sorted((pair for pair in pairs if pair.difference > 0), key=lambda pair: -pair.difference)[:examples],
        mcnemar=_mcnemar(rows, teacher),
        calibration=_calibration(rows, teacher),
    )


def group_means(rows: Iterable[Row]) -> dict[str, float]:
    """Mean score of every group that has one."""
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["score"] is not None:
            scores[row["group"]].append(row["score"])
    return {group: mean_of(values) for group, values in scores.items()}


def differences(rows: Iterable[Row], teacher: Iterable[Row]) -> dict[str, float]:
    """Mean difference to the teacher by group, over rows that both have a score of."""
    right = {row["example"]: row["score"] for row in teacher if row["score"] is not None}
    both: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row["score"] is not None and row["example"] in right:
            both[row["group"]].append(row["score"] - right[row["example"]])
    return {group: mean_of(values) for group, values in both.items()}


def measured(rows: Sequence[Row]) -> Measured:
    """What the gate's guards look at."""
    valid = [row["valid"] for row in rows if row["valid"] is not None]
    answered = [row["refusal"] for row in rows if row["valid"] is not None]
    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    return Measured(
        schema_validity=sum(valid) / len(valid) if valid else None,
        refusal_rate=sum(answered) / len(answered) if answered else None,
        p95_latency_ms=_quantile(rows, "latency_ms", 0.95),
        cost_per_1000_usd=1000 * math.fsum(costs) / len(costs) if costs else None,
    )


def _of_interest(by_system: Mapping[str, Sequence[Row]]) -> str:
    if "student" in by_system:
        return "student"
    others = [name for name in ("few_shot", "base") if name in by_system]
    return max(others, key=lambda name: mean_of(group_means(by_system[name]).values()))


def _system(name: str, rows: Sequence[Row], teacher: Sequence[Row]) -> SystemFigures:
    means = group_means(rows)
    between = {} if name == TEACHER else differences(rows, teacher)
    tokens = [row["completion_tokens"] for row in rows if row["completion_tokens"] is not None]
    score, how = score_interval(list(means.values()))
    return SystemFigures(
        name=name,
        rows=sum(row["score"] is not None for row in rows),
        groups=len(means),
        score=score,
        interval=how,
        difference=interval_of(list(between.values())),
        better=sum(value > 0 for value in between.values()),
        worse=sum(value < 0 for value in between.values()),
        problems=dict(Counter(kind_of(row["problem"]) for row in rows if row["problem"]).most_common()),
        measured=measured(rows),
        p50_latency_ms=_quantile(rows, "latency_ms", 0.5),
        tokens_per_answer=sum(tokens) / len(tokens) if tokens else None,
    )


def _slices(rows: Sequence[Row], teacher: Sequence[Row]) -> list[SliceFigures]:
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for name in row["slices"]:
            members[name].append(row)
    right = {row["example"]: row for row in teacher}
    found = []
    for name, mine in sorted(members.items()):
        theirs = [right[row["example"]] for row in mine if row["example"] in right]
        both = differences(mine, theirs)
        interval = interval_of(list(both.values()))
        if interval is not None:
            paired = {row["example"] for row in theirs if row["score"] is not None}
            system = group_means(row for row in mine if row["example"] in paired)
            known = {row["example"] for row in mine if row["score"] is not None}
            other = group_means(row for row in theirs if row["example"] in known)
            found.append(
                SliceFigures(
                    name=name,
                    groups=len(both),
                    teacher=mean_of(other.values()),
                    system=mean_of(system.values()),
                    difference=interval,
                )
            )
    return found


def _pairs(rows: Sequence[Row], teacher: Sequence[Row]) -> list[Pair]:
    """One example of each group: the one that differs most."""
    right = {row["example"]: row["score"] for row in teacher}
    most: dict[str, Pair] = {}
    for row in rows:
        other = right.get(row["example"])
        if row["score"] is None or other is None:
            continue
        pair = Pair(row["example"], row["score"] - other)
        if row["group"] not in most or abs(pair.difference) > abs(most[row["group"]].difference):
            most[row["group"]] = pair
    return sorted(most.values(), key=lambda pair: pair.example)


def _mcnemar(rows: Sequence[Row], teacher: Sequence[Row]) -> float | None:
    """Only where all is right or wrong."""
    scores = {row["score"] for row in (*rows, *teacher) if row["score"] is not None}
    if not scores <= {0.0, 1.0}:
        return None
    both = differences(rows, teacher).values()
    return mcnemar(sum(value > 0 for value in both), sum(value < 0 for value in both))


def _calibration(rows: Sequence[Row], teacher: Sequence[Row]) -> Calibration | None:
    """Labels say the same as a judge can: the answer is better than the teacher's, as good, or worse."""
    right = {row["example"]: row["score"] for row in teacher}
    said, labels, rest = [], [], []
    for row in rows:
        if row["truth"] == "judge" and row["score"] is not None:
            rest.append(row["score"])
        other = right.get(row["example"])
        if row["judge"] is not None and row["score"] is not None and other is not None:
            said.append(row["judge"])
            labels.append(0.5 + 0.5 * float(np.sign(row["score"] - other)))
    return calibrate(said, labels, rest)


def _quantile(rows: Sequence[Row], name: str, share: float) -> float | None:
    values = [row[name] for row in rows if row[name] is not None]
    return float(np.quantile(values, share)) if values else None
