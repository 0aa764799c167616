"""What came of a night, kept as a line each: ``data/nights/<workload>.jsonl``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from distill.dataset.snapshot import place_of
from distill.gate.criteria import Criteria
from distill.journal import Journal, read_lines

Outcome = Literal["too_few", "nothing_new", "undecided", "rejected", "withdrawn", "qualified", "held", "promoted"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One night that came to its end."""

    workload: str
    started: str
    finished: str
    outcome: Outcome
    told: str
    """The same in words."""
    dataset: str | None = None
    adapter: str | None = None
    evaluation: str | None = None
    dossier: str | None = None
    """File of the decision, below the data folder."""
    rows_needed: int | None = None
    """About so many more, where the gate was undecided and a number is in sight."""
    made_by: dict[str, Any] | None = None
    """The base model, and the settings of the training that the configuration gave; null in older reports."""
    criteria: Criteria | None = None
    """What the gate has decided by."""
    scored_by: dict[str, Any] | None = None
    """What the configuration said of how answers are scored; null in older reports."""


def nights_of(data: Path) -> Path:
    return data / "nights"


def keep(data: Path, report: Report) -> None:
    with Journal(_file(data, report.workload)) as journal:
        journal.append(msgspec.json.encode(report))


def reports_of(data: Path, workload: str) -> list[Report]:
    """The oldest first; a line that cannot be read is none."""
    return read_lines(_file(data, workload), Report)


def _file(data: Path, workload: str) -> Path:
    return nights_of(data) / f"{place_of(data, workload).name}.jsonl"
