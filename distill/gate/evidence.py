"""What the gate decides by: scores of teacher and student for the same questions.

Rows of one test group (a conversation, an exact input) are not independent, so a group counts once, with the means of
its rows. Groups are put in an order that nobody chose: by the hash of a seed and their name.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from nightschool.errors import NightschoolError

SEED = "nightschool gate 1"
"""Of the order. It moves the path of the evidence, and nothing else: no verdict depends on it."""
TEACHER_ITSELF = "teacher"
"""The truth of rows for which nothing better is known than what the teacher answered."""

NO_TEACHER_ANSWER = "no_teacher_answer"
"""The problem of rows that are labelled because the teacher had failed: there is nobody to compare with."""


class EvidenceError(NightschoolError):
    """Scores cannot be read, or are none."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One question, answered by both."""

    group: str
    teacher: float | None
    student: float | None
    slices: tuple[str, ...] = ()
    problem: str | None = None
    """Why a score is missing."""
    truth: str | None = None
    """What both were compared with; None where nobody says."""


class Measured(msgspec.Struct, frozen=True):
    """What was measured of a system besides its scores; None where it was not."""

    schema_validity: float | None = None
    """Share of answers that keep to the tools and schemas of their requests."""
    refusal_rate: float | None = None
    p95_latency_ms: float | None = None
    cost_per_1000_usd: float | None = None


class Evidence(msgspec.Struct, frozen=True):
    """All that a decision is made of, besides the criteria."""

    rows: tuple[Row, ...]
    student: Measured = Measured()
    teacher: Measured = Measured()


class Group(NamedTuple):
    """The means of the rows of a test group."""

    name: str
    difference: float
    """Student - teacher, from -1 to 1."""
    teacher: float
    student: float


def scores_of(row: Row) -> tuple[float, float] | None:
    """Teacher's and student's score; None unless both are there and are scores: NaN proves nothing."""
    teacher, student = row.teacher, row.student
    if teacher is None or student is None or not (0 <= teacher <= 1 and 0 <= student <= 1):
        return None
    return teacher, student


def groups_of(rows: Iterable[Row]) -> list[Group]:
    """The groups of rows with both scores, in the order of the hash."""
    members: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        if scores := scores_of(row):
            members[row.group].append(scores)
    return sorted((_group(name, of) for name, of in members.items()), key=lambda group: _place(group.name))


def slices_of(rows: Sequence[Row]) -> dict[str, list[Group]]:
    """The groups of every slice, each with the means of those of its rows that are in the slice."""
    members: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        for name in set(row.slices):
            members[name].append(row)
    found = {name: groups_of(of) for name, of in sorted(members.items())}
    return {name: groups for name, groups in found.items() if groups}


def problems_of(rows: Iterable[Row]) -> dict[str, int]:
    """Rows without a score, counted by the kind of their problem."""
    kinds = [_problem(row) for row in rows if scores_of(row) is None]
    return dict(sorted(Counter(kinds).items()))


def _problem(row: Row) -> str:
    is_missing = row.teacher is None or row.student is None
    return row.problem.split(":", 1)[0] if row.problem else "no_score" if is_missing else "not_a_score"


def _group(name: str, members: list[tuple[float, float]]) -> Group:
    """Sums that are exact do not depend on the order of the rows."""
    teacher = math.fsum(teacher for teacher, _ in members) / len(members)
    student = math.fsum(student for _, student in members) / len(members)
    return Group(name, student - teacher, teacher, student)


def _place(name: str) -> bytes:
    return sha256(f"{SEED}\0{name}".encode("utf-8", "replace")).digest()
