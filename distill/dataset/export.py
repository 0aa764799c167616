"""A dataset in the forms that other trainers read: OpenAI's chat lines, or Parquet with messages as nested columns.

Three files, one a side; they are written beside, and renamed when complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from distill.dataset.sides import SIDES
from nightschool.store.durable import new_file
from nightschool.wire import json_text

Form = Literal["openai", "parquet"]
BATCH_ROWS = 500

_TEXT = pa.string()
_FUNCTION = pa.struct([pa.field("name", _TEXT), pa.field("arguments", _TEXT)])
_CALL = pa.struct([pa.field("id", _TEXT), pa.field("type", _TEXT), pa.field("function", _FUNCTION)])
_MESSAGE = pa.struct(
    [
        pa.field("role", _TEXT),
        pa.field("content", _TEXT),
        pa.field("tool_calls", pa.list_(_CALL)),
        pa.field("tool_call_id", _TEXT),
        pa.field("learn", pa.bool_()),
    ]
)
NESTED = pa.schema(
    [
        pa.field("id", _TEXT),
        pa.field("messages", pa.list_(_MESSAGE)),
        pa.field("tools", _TEXT),
        pa.field("weight", pa.float32()),
    ]
)

Row = dict[str, Any]


def export(dataset: Path, form: Form, target: Path) -> dict[str, int]:
    """Write the sides of a dataset into the folder ``target``; returns how many examples each has."""
    write: Callable[[Path, Path], int] = _write_lines if form == "openai" else _write_nested
    ending = "jsonl" if form == "openai" else "parquet"
    return {side: write(dataset / f"{side}.parquet", target / f"{side}.{ending}") for side in SIDES}


def line_of(row: Row) -> Row:
    """OpenAI's form; an assistant message that is not to be learned has the weight 0."""
    learn = set(row["learn"])
    messages = [
        message if message.get("role") != "assistant" or place in learn else {**message, "weight": 0}
        for place, message in enumerate(json_text.decode(row["messages"].encode()))
    ]
    return {"messages": messages} if row["tools"] is None else {"messages": messages, "tools": _value(row["tools"])}


def nested_of(row: Row) -> Row:
    """A row of NESTED; content that comes in parts is their text."""
    learn = set(row["learn"])
    messages = [_message(message, place in learn) for place, message in enumerate(_value(row["messages"]))]
    return {"id": row["id"], "messages": messages, "tools": row["tools"], "weight": row["weight"]}


def _write_lines(source: Path, target: Path) -> int:
    written = 0
    with new_file(target) as file:
        for row in _rows(source):
            file.write(msgspec.json.encode(line_of(row)) + b"\n")
            written += 1
    return written


def _write_nested(source: Path, target: Path) -> int:
    written = 0
    with new_file(target) as file, pq.ParquetWriter(file, NESTED, compression="zstd") as writer:
        held: list[Row] = []
        for row in _rows(source):
            held.append(nested_of(row))
            written += 1
            if len(held) == BATCH_ROWS:
                writer.write_table(pa.Table.from_pylist(held, schema=NESTED))
                held = []
        writer.write_table(pa.Table.from_pylist(held, schema=NESTED))
    return written


def _rows(source: Path) -> Iterator[Row]:
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            yield from batch.to_pylist()


def _message(message: Row, learn: bool) -> Row:
    calls = [*(message.get("tool_calls") or ())]
    if legacy := message.get("function_call"):
        calls.append({"id": "function_call", "type": "function", "function": legacy})
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(part.get("text") or part.get("refusal") or "" for part in content)
    return {
        "role": message["role"],
        "content": content if content is not None else message.get("refusal"),
        "tool_calls": [_call(call) for call in calls] or None,
        "tool_call_id": message.get("tool_call_id"),
        "learn": learn,
    }


def _call(call: Row) -> Row:
    function = call.get("function") or {}
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {"name": function.get("name"), "arguments": function.get("arguments")},
    }


def _value(text: str) -> Any:
    return json_text.decode(text.encode())
