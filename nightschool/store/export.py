"""Exchanges -> a file: rows as JSON lines, chats for fine-tuning, or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import duckdb
import msgspec
import pyarrow.parquet as pq

from nightschool.store.filter import Filter
from nightschool.store.imports.exported import line_of
from nightschool.store.query import ask
from nightschool.store.schema import EXCHANGES

Format = Literal["records", "openai", "parquet"]
CHUNK_ROWS = 1_000


@dataclass
class Exported:
    """What came of an export."""

    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Why rows are not in the file, and how many."""


def export(
    folder: Path,
    filters: Filter,
    form: Format,
    open_file: Callable[[], AbstractContextManager[BinaryIO]],
    *,
    progress: Callable[[int], object] = lambda _: None,
) -> Exported:
    """Write the exchanges that match, oldest first but for rows that arrived late; ``open_file`` may be called again.

    Nothing is held in memory but a batch.
    """
    condition, values = filters.condition()

    def question(store: duckdb.DuckDBPyConnection) -> Exported:
        query = f"select * from exchanges where {condition}"
        result = Exported()
        with open_file() as file:
            if form == "parquet":
                _write_parquet(store.sql(query, params=values), file, result, progress)
            else:
                _write_lines(store.execute(query, values), file, form, result, progress)
        return result

    return ask(folder, question, filters.window)


def chat_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of OpenAI's fine-tuning form; raises ValueError with the reason if the row makes none."""
    if row["status"] != 200 or not row["complete"]:
        raise ValueError("failed or cut")
    request, response = _object(row["request"]), _object(row["response"])
    messages, choices = request.get("messages"), response.get("choices")
    if not isinstance(messages, list) or not isinstance(choices, list) or not choices:
        raise ValueError("no chat, or its text is not recorded")
    answer = choices[0].get("message") if isinstance(choices[0], dict) else None
    if not isinstance(answer, dict):
        raise ValueError("no chat, or its text is not recorded")
    told = ("content", "tool_calls", "function_call", "refusal")
    message = {"role": "assistant", **{name: answer[name] for name in told if answer.get(name)}}
    chat: dict[str, Any] = {"messages": [*messages, message]}
    return {
        **chat,
        **{name: request[name] for name in ("tools", "parallel_tool_calls", "functions") if name in request},
    }


def _write_lines(
    answer: duckdb.DuckDBPyConnection, file: BinaryIO, form: Format, result: Exported, progress: Callable[[int], object]
) -> None:
    for row in _rows(answer):
        try:
            line = line_of(row) if form == "records" else msgspec.json.encode(chat_of(row))
        except ValueError as reason:
            result.left_out[str(reason)] += 1
        else:
            file.write(line + b"\n")
            result.rows += 1
        progress(result.rows + result.left_out.total())


def _write_parquet(
    answer: duckdb.DuckDBPyRelation, file: BinaryIO, result: Exported, progress: Callable[[int], object]
) -> None:
    with pq.ParquetWriter(file, EXCHANGES, compression="zstd") as writer:
        for batch in answer.to_arrow_reader(CHUNK_ROWS):
            writer.write_batch(batch.cast(EXCHANGES))
            result.rows += batch.num_rows
            progress(result.rows)


def _rows(answer: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in answer.description or ()]
    while chunk := answer.fetchmany(CHUNK_ROWS):
        yield from (dict(zip(names, row, strict=True)) for row in chunk)


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text or "null")
    except (msgspec.DecodeError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
