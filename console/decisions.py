"""Decisions of the gate: the verdict, the evidence as it grew, and whether it comes out again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from console.charts import path as line_chart
from console.desk import Desk
from console.folders import thing, things_in
from distill.gate.decide import Decision
from distill.gate.dossier import Dossier, DossierError, read_dossier, replay
from distill.gate.evidence import EvidenceError
from distill.gate.slices import STATUS_WORDS

VERDICT_KINDS = {"promote": "good", "reject": "bad", "undecided": "warn"}
_MOST_POINTS = 600
_MOST_KEPT = 500
_MOST_EXPONENT = 300


class Brief(NamedTuple):
    """A decision in a list; ``fault`` where its file cannot be read."""

    name: str
    decided: str
    verdict: str
    kind: str
    e_value: float | None
    threshold: float | None
    rows: int | None
    fault: str


class Briefs:
    """Read once each: a dossier never changes. One that cannot be read may be put right, and is read again."""

    def __init__(self) -> None:
        self._known: dict[Path, Brief] = {}

    def of(self, files: Sequence[Path], most: int | None) -> list[Brief]:
        """The newest first: a file's name begins with its time."""
        chosen = sorted(files, reverse=True)[:most]
        if len(self._known) > _MOST_KEPT:
            self._known.clear()
        return [self._known.get(file) or self._read(file) for file in chosen]

    def _read(self, file: Path) -> Brief:
        brief = _brief(file)
        if not brief.fault:
            self._known[file] = brief
        return brief


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/runs/decisions/{workload:path}/{name}")
    def decision(request: Request, workload: str, name: str, again: bool = False) -> Response:
        file = thing(things_in(desk.data / "decisions", workload), name)
        dossier = read_dossier(file)
        made = dossier.decision
        return desk.pages.render(
            request,
            "decision",
            title=f"Decision about {workload}",
            workload=workload,
            name=name,
            dossier=dossier,
            decision=made,
            kind=VERDICT_KINDS.get(made.verdict, ""),
            words=STATUS_WORDS,
            evidence=_evidence_chart(made),
            evaluation=_text(dossier.subject, "evaluation"),
            adapter=_text(dossier.subject.get("manifest", dossier.subject), "adapter"),
            replayed=_replayed(dossier) if again else None,
            command=f"nightschool gate --replay {file.relative_to(desk.data.parent)}",
        )

    return router


def _text(subject: Any, name: str) -> str:
    """Of what was judged, which is not always an evaluation."""
    value = subject.get(name) if isinstance(subject, dict) else None
    return value if isinstance(value, str) else ""


def _brief(file: Path) -> Brief:
    try:
        dossier = read_dossier(file)
    except DossierError as error:
        return Brief(file.stem, "", "damaged", "bad", None, None, None, error.problem)
    made = dossier.decision
    kind = VERDICT_KINDS.get(made.verdict, "")
    return Brief(file.stem, dossier.decided, made.verdict, kind, made.e_value, made.threshold, made.rows, "")


def _evidence_chart(decision: Decision) -> Markup:
    """The logarithm to the base of 10, beginning with a fortune of 1."""
    every = max(1, math.ceil(len(decision.path) / _MOST_POINTS))
    grown = [(n + 1, value / math.log(10)) for n, value in enumerate(decision.path)]
    points = [(0, 0.0), *grown[every - 1 :: every], *grown[-1:]]
    return line_chart(
        points,
        "Evidence that the student is good enough after each row, on a logarithmic scale",
        lines=[(math.log10(decision.threshold), f"{decision.threshold:,.0f} is enough")],
        x_title="rows",
        told=_power,
    )


def _power(exponent: float) -> str:
    """Of 10, which may be beyond what a number holds."""
    return f"{10**exponent:,.2g}" if abs(exponent) < _MOST_EXPONENT else f"1e{exponent:.0f}"


def _replayed(dossier: Dossier) -> str:
    """In words."""
    try:
        made = replay(dossier)
    except EvidenceError as error:
        return f"It cannot be decided again: {error.problem}"
    if made.differences:
        return f"It does not come out again: {', '.join(made.differences)} are other than recorded."
    return f"Decided again just now from its {len(dossier.evidence.rows):,} rows: the same to the last digit."
