"""A CSV file with the columns ``group,teacher,student`` and perhaps ``slice`` -> evidence about any two systems.

A line is a question that both have answered. A score is a number from 0 to 1; an empty cell, and NaN, say that there is
none. Several slices are separated by ``;``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from distill.gate.evidence import Evidence, EvidenceError, Row

COLUMNS = ("group", "teacher", "student")
_FORM = "the first line is group,teacher,student or group,teacher,student,slice; scores are from 0 to 1"


def read_pairs(path: Path) -> Evidence:
    """Raises EvidenceError, naming the line, for what cannot be read as meant."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return Evidence(rows=tuple(_rows(path, file)))
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}", remedy="check its name") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise EvidenceError(f"{path} is no CSV file in UTF-8: {error}", remedy=_FORM) from error


def _rows(path: Path, file: TextIO) -> Iterator[Row]:
    reader = csv.DictReader(file, strict=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in COLUMNS if name not in names]
    if missing or len(set(names)) < len(names):
        what = f"has no column {' and no column '.join(missing)}" if missing else "has a column twice"
        raise EvidenceError(f"{path} {what}", remedy=_FORM)
    reader.fieldnames = names
    for line in reader:
        yield _row(line, f"{path}, line {reader.line_num}")


def _row(line: dict[str | None, str | None], where: str) -> Row:
    if None in line or any(line.get(name) is None for name in COLUMNS):
        raise EvidenceError(f"{where}: it has more or fewer cells than the first line", remedy=_FORM)
    group = (line["group"] or "").strip()
    if not group:
        raise EvidenceError(
            f"{where}: the group is empty", remedy="give every question that stands alone a group of its own"
        )
    teacher, student = (_score(line[name] or "", f"{where}, {name}") for name in ("teacher", "student"))
    is_nan = any((line[name] or "").strip().lower() == "nan" for name in ("teacher", "student"))
    problem = None if teacher is not None and student is not None else "not_a_number" if is_nan else "no_score"
    slices = tuple(name.strip() for name in (line.get("slice") or "").split(";") if name.strip())
    return Row(group=group, teacher=teacher, student=student, slices=slices, problem=problem)


def _score(cell: str, where: str) -> float | None:
    if not cell.strip():
        return None
    try:
        score = float(cell)
    except ValueError:
        raise EvidenceError(f"{where}: {cell!r} is no number", remedy=_FORM) from None
    if math.isnan(score):
        return None
    if not 0 <= score <= 1:
        raise EvidenceError(
            f"{where}: {cell.strip()} is no score from 0 to 1",
            remedy="divide by the greatest possible score; leave the cell empty where there is none",
        )
    return score
