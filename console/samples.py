"""One example of a dataset, readable: found by its number without reading the file before it into memory."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from console.readable import Shown, shown
from nightschool.wire import json_text
from nightschool.wire.turns import message_turns

_BATCH = 16
_COLUMNS = [
    "id", "time", "group", "messages", "learn", "tools", "labelled", "teacher_answer", "multiplicity", "newest",
    "weight", "novelty",
]  # fmt: skip


class Sample(NamedTuple):
    """An example on a page."""

    id: str
    time: datetime
    group: str
    turns: list[Shown]
    learned: int
    tools: list[str]
    labelled: bool
    teacher: list[Shown]
    """What the teacher had said where a label takes its place."""
    multiplicity: int
    newest: bool
    weight: float
    novelty: float | None


def sample(path: Path, at: int) -> Sample | None:
    """The example of this number, counted from 0; None where there is none."""
    with pq.ParquetFile(path) as file:
        before = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if before <= at < before + rows:
                for batch in file.iter_batches(_BATCH, row_groups=[group], columns=_COLUMNS):
                    if at < before + batch.num_rows:
                        return _sample(batch.slice(at - before, 1).to_pylist()[0])
                    before += batch.num_rows
            before += rows
    return None


def _sample(row: dict[str, Any]) -> Sample:
    learned = set(row["learn"])
    turns = [
        one._replace(role=f"{one.role}, to be learned") if place in learned else one
        for place, message in enumerate(_decoded(row["messages"]) or [])
        for one in shown(message_turns(message))
    ]
    tools = _decoded(row["tools"])
    return Sample(
        id=row["id"],
        time=row["time"],
        group=row["group"],
        turns=turns,
        learned=len(learned),
        tools=[str(tool.get("function", tool).get("name")) for tool in tools] if isinstance(tools, list) else [],
        labelled=bool(row["labelled"]),
        teacher=shown(message_turns(_decoded(row["teacher_answer"]))) if row["teacher_answer"] else [],
        multiplicity=row["multiplicity"],
        newest=bool(row["newest"]),
        weight=row["weight"],
        novelty=row["novelty"],
    )


def _decoded(text: str | None) -> Any:
    return None if text is None else json_text.decode(text.encode("utf-8", "replace"))
