"""The few examples that a report shows side by side: their texts, cut to what a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from distill.evaluate.cases import Case, all_cases, told
from distill.evaluate.figures import Pair
from distill.evaluate.marks import TEACHER
from distill.evaluate.result import ROWS
from distill.score.scorer import Message
from nightschool.wire import json_text

_LONGEST = 1_500
_SHOWN_TURNS = 4


class Turn(NamedTuple):
    """A message for people."""

    role: str
    text: str


class Exhibit(NamedTuple):
    """One example, with both answers."""

    example: str
    difference: float
    turns: list[Turn]
    """The end of the prompt."""
    left_out: int
    """Messages before, without the system prompt."""
    teacher: str
    system: str
    label: str | None
    teacher_score: float | None
    system_score: float | None
    reason: str | None
    problem: str | None


def exhibits(pairs: Sequence[Pair], test_side: Path, filled: Path, of_interest: str) -> list[Exhibit]:
    """In the order of ``pairs``."""
    wanted = {pair.example for pair in pairs}
    if not wanted:
        return []
    rows = _rows(filled / ROWS, wanted, of_interest)
    cases = {case.example: case for case in all_cases(test_side) if case.example in wanted}
    return [_exhibit(pair, cases[pair.example], rows, of_interest) for pair in pairs]


def _rows(path: Path, wanted: set[str], of_interest: str) -> dict[tuple[str, str], dict[str, Any]]:
    found, names = {}, pa.array(sorted(wanted), pa.string())
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["example", "system", "score", "answer", "reason", "problem"]):
            known = pc.is_in(batch.column("example"), value_set=names)
            for row in batch.filter(known).to_pylist():
                if row["system"] in (of_interest, TEACHER):
                    found[row["system"], row["example"]] = row
    return found


def _exhibit(pair: Pair, case: Case, rows: dict[tuple[str, str], dict[str, Any]], of_interest: str) -> Exhibit:
    teacher, system = rows[TEACHER, pair.example], rows[of_interest, pair.example]
    turns = [message for message in case.question.messages if message.get("role") not in ("system", "developer")]
    shown = turns[-_SHOWN_TURNS:]
    return Exhibit(
        example=pair.example,
        difference=pair.difference,
        turns=[Turn(str(message.get("role")), _cut(_said(message))) for message in shown],
        left_out=len(turns) - len(shown),
        teacher=_cut(told(case.teacher)),
        system=_cut(_answer(system["answer"])),
        label=_cut(told(case.reference)) if case.labelled else None,
        teacher_score=teacher["score"],
        system_score=system["score"],
        reason=system["reason"],
        problem=system["problem"],
    )


def _said(message: Message) -> str:
    """A message of a prompt; pictures and sounds are named, not shown."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    others = [str(part.get("type")) for part in parts if isinstance(part, dict) and part.get("type") != "text"]
    return "\n".join([told(message), *(f"[{kind}]" for kind in others)])


def _answer(text: str | None) -> str:
    """A message as people read it; what is no message as it was written."""
    if text is None:
        return ""
    try:
        message = json_text.decode(text.encode("utf-8", "replace"))
    except ValueError:
        return text
    return told(message) if isinstance(message, dict) and message.get("role") == "assistant" else text


def _cut(text: str) -> str:
    more = len(text) - _LONGEST
    return text if more <= 0 else f"{text[:_LONGEST]} … and {more:,} more characters"
