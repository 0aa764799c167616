"""What was compared, a line each: ``data/audits/<workload>/<adapter>.jsonl``, in the order of the comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from distill.dataset.snapshot import place_of
from distill.journal import Journal, read_lines
from nightschool.registry.routing import Measure


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of a student, beside the teacher's to the same request."""

    exchange: str
    """The student's."""
    time: str
    """When it was asked, UTC."""
    conversation: str | None = None
    """That it belongs to; null in lines that were written before it was kept."""
    share: float | None = None
    """Of the student's ramp, in per cent, when it was compared."""
    teacher: str | None = None
    """The teacher's exchange; null where the teacher need not be asked, the student having given no answer."""
    agreement: float | None = None
    """From 0 to 1; null where nothing was measured."""
    measure: Measure | None = None
    """Of ``agreement``; null in lines that were written before it was kept."""
    problem: str | None = None
    """Why not, or why it is what it is."""
    cost_usd: float | None = None
    """Of asking the teacher."""


def file_of(data: Path, workload: str, adapter: str) -> Path:
    return data / "audits" / place_of(data, workload).name / f"{adapter}.jsonl"


def audited_of(data: Path, workload: str, adapter: str) -> list[Audited]:
    """Those before are first. A line that cannot be read is none: its exchange is compared again."""
    found = read_lines(file_of(data, workload, adapter), Audited)
    return list({each.exchange: each for each in found}.values())


def keep(data: Path, workload: str, adapter: str, audited: Iterable[Audited]) -> None:
    with Journal(file_of(data, workload, adapter)) as journal:
        for each in audited:
            journal.append(msgspec.json.encode(each))
