"""New exchanges of the teacher -> cases for a student that answers in the shadow."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow.parquet as pq

from distill.dataset.identity import keys_of
from distill.draw import is_drawn
from distill.evaluate.cases import Case
from distill.score.message import says_nothing
from distill.score.scorer import Question
from nightschool.store.query import ask
from nightschool.store.reader import Window
from nightschool.wire import json_text

_ANSWERED = (
    "workload = ? and target = 'teacher' and reason <> 'audit' and status = 200 and complete and error_type is null "
    "and endpoint = '/chat/completions' and request is not null and response is not null and time > make_timestamptz(?)"
)


class Wish(NamedTuple):
    """Which of them."""

    workload: str
    since_us: int
    """After the last exchange of the dataset: none of them can have been learned."""
    known: Collection[str]
    learned: Collection[int]
    """Keys of inputs that were learned: the same question asked again proves nothing."""
    share: float
    """Per cent."""
    most: int


def cases(data: Path, wish: Wish) -> list[Case]:
    """The oldest first."""
    window = Window(since_us=wish.since_us)
    chosen = ask(data, lambda store: _chosen(store, wish), window)
    if not chosen:
        return []
    rows = ask(data, lambda store: _read(store, chosen), window)
    found = [case for row in rows if (case := _case(*row)) is not None]
    return [case for case in found if keys_of(case.question.messages, None).input not in wish.learned]


def learned_inputs(dataset: Path) -> frozenset[int]:
    """Of every prompt whose answer is on the training or the validation side."""
    keys: set[int] = set()
    for side in ("train", "validation"):
        with pq.ParquetFile(dataset / f"{side}.parquet") as file:
            for batch in file.iter_batches(batch_size=256, columns=["messages", "learn"]):
                for row in batch.to_pylist():
                    messages = json_text.decode(row["messages"].encode("utf-8", "replace"))
                    keys |= {keys_of(messages[:place], None).input for place in row["learn"]}
    return frozenset(keys)


def _chosen(store: duckdb.DuckDBPyConnection, wish: Wish) -> list[str]:
    cursor = store.execute(
        f"select id from exchanges where {_ANSWERED} order by time, id", [wish.workload, wish.since_us]
    )
    chosen: list[str] = []
    while len(chosen) < wish.most and (rows := cursor.fetchmany(10_000)):
        chosen += [
            identity for (identity,) in rows if identity not in wish.known and is_drawn("shadow", identity, wish.share)
        ]
    return chosen[: wish.most]


def _read(store: duckdb.DuckDBPyConnection, chosen: list[str]) -> list[tuple[str, str | None, str, str]]:
    places = ", ".join("?" * len(chosen))
    return store.execute(
        f"select id, conversation, request, response from exchanges where id in ({places}) order by time, id", chosen
    ).fetchall()


def _case(identity: str, conversation: str | None, request: str, response: str) -> Case | None:
    """None for what a dataset would not have taken either."""
    try:
        body: Any = json_text.decode(request.encode())
        choice: Any = json_text.decode(response.encode())["choices"][0]
        teacher = choice["message"]
        messages, tools, form = body["messages"], body.get("tools") or [], body.get("response_format")
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    if choice.get("finish_reason") not in ("stop", "tool_calls") or says_nothing(teacher):
        return None
    return Case(
        example=identity,
        group=f"shadow {conversation or identity}",
        question=Question(messages, tools, form),
        tool_choice=body.get("tool_choice"),
        reference=teacher,
        labelled=False,
        teacher=teacher,
        newest=True,
        novelty=None,
    )
