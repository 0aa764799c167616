"""Evaluations: scores with intervals, and the answers side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from console.damage import DAMAGE
from console.desk import Desk
from console.folders import thing, things_in
from console.questions import last_questions
from console.readable import Shown, answered, message_in, shown
from distill.evaluate.marks import TEACHER
from distill.evaluate.page import PROBLEM_WORDS, TITLES, TRUTH_WORDS
from distill.evaluate.result import HTML, ROWS, read_manifest
from distill.score.scorer import kind_of
from nightschool.wire.turns import Turn

ORDERS = {"worst": "the worst first", "best": "the best first", "problem": "with a problem"}
_PAGE = 10
_BATCH = 256
_ANSWER_COLUMNS = ["example", "system", "answer", "truth", "problem", "reason"]
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Place(NamedTuple):
    """An example in the order of a list."""

    example: str
    score: float | None
    teacher: float | None

    @property
    def difference(self) -> float | None:
        return None if self.score is None or self.teacher is None else self.score - self.teacher


class Pair(NamedTuple):
    """An example with both answers."""

    place: Place
    question: str
    ours: list[Shown]
    theirs: list[Shown]
    truth: str
    problem: str
    reason: str


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()
    place = desk.data / "evaluations"

    @router.get("/runs/evaluations/{workload:path}/{name}/report")
    def report(workload: str, name: str) -> Response:
        files = [folder / HTML for folder in things_in(place, workload) if folder.name == name]
        file = thing((file for file in files if file.is_file()), Path(HTML).stem)
        return FileResponse(file, headers={"content-security-policy": _REPORT_POLICY})

    @router.get("/runs/evaluations/{workload:path}/{name}")
    def evaluation(request: Request, workload: str, name: str, order: str = "worst", at: int = 0) -> Response:
        folder = thing(things_in(place, workload), name)
        manifest = read_manifest(folder)
        order = order if order in ORDERS else "worst"
        fault, figures, places = "", None, []
        try:
            figures = desk.figures.of(folder)
            places = _ordered(folder / ROWS, figures.of_interest, order)
            at = min(max(at, 0), max(len(places) - 1, 0)) // _PAGE * _PAGE
            pairs = _pairs(desk, folder / ROWS, figures.of_interest, places[at : at + _PAGE])
        except DAMAGE as error:
            fault, pairs = f"its rows cannot be read: {error}", []
        return desk.pages.render(
            request,
            "evaluation",
            title=f"Evaluation of {workload}",
            manifest=manifest,
            workload=workload,
            figures=figures,
            fault=fault,
            titles=TITLES,
            truths=TRUTH_WORDS,
            problems=PROBLEM_WORDS,
            pairs=pairs,
            order=order,
            orders=ORDERS,
            position=at,
            count=len(places),
            page_rows=_PAGE,
            has_report=(folder / HTML).is_file(),
        )

    return router


def _ordered(rows: Path, system: str, order: str) -> list[Place]:
    """All examples that the system answered, in this order; those without a score last."""
    ours, theirs = _scores(rows, system, only_problems=order == "problem"), _scores(rows, TEACHER)
    places = [Place(example, score, theirs.get(example)) for example, score in ours.items()]
    sign = -1 if order == "best" else 1

    def key(one: Place) -> tuple[bool, float, str]:
        return one.difference is None, sign * (one.difference or 0.0), one.example

    return sorted(places, key=key)


def _scores(rows: Path, system: str, *, only_problems: bool = False) -> dict[str, float | None]:
    chosen = pc.field("system") == system
    if only_problems:
        chosen = chosen & pc.field("problem").is_valid()
    found = pq.read_table(rows, columns=["example", "score"], filters=chosen)
    return {row["example"]: row["score"] for row in found.to_pylist()}


def _pairs(desk: Desk, rows: Path, system: str, places: list[Place]) -> list[Pair]:
    examples = [one.example for one in places]
    chosen = pc.field("example").isin(examples) & pc.field("system").isin([system, TEACHER])
    with pq.ParquetFile(rows, pre_buffer=False) as file:  # a batch at a time: all answers together may be large
        batches = file.iter_batches(_BATCH, columns=_ANSWER_COLUMNS)
        found = [row for batch in batches for row in batch.filter(chosen).to_pylist()]
    known = {(row["system"], row["example"]): row for row in found}
    questions = last_questions(desk.asking, examples)
    return [
        _pair(one, questions, known.get((system, one.example)), known.get((TEACHER, one.example))) for one in places
    ]


def _pair(place: Place, questions: dict[str, str], ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> Pair:
    mine: dict[str, Any] = ours or {}
    problem = mine.get("problem") or ""
    return Pair(
        place=place,
        question=questions.get(place.example, ""),
        ours=_answer(mine.get("answer")),
        theirs=_answer((theirs or {}).get("answer")),
        truth=mine.get("truth") or "",
        problem=PROBLEM_WORDS.get(kind_of(problem), problem) if problem else "",
        reason=mine.get("reason") or "",
    )


def _answer(text: str | None) -> list[Shown]:
    """Of a message as JSON, or of what was written instead of one."""
    if text is None:
        return []
    message = message_in(text)
    return shown([Turn("assistant", text)]) if message is None else answered(message)
