"""An example: a whole conversation as it was asked, and which of its answers are to be learned.

The same columns in train, validation and test. ``messages`` and ``tools`` are JSON, as they were on the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from distill.dataset.chat import Chat
from nightschool.store.schema import TIME
from nightschool.wire import json_text

_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("time", TIME),
    ("group", pa.string()),
    ("messages", pa.string()),
    ("learn", pa.list_(pa.int32())),
    ("exchange_ids", pa.list_(pa.string())),
    ("logprobs", pa.list_(pa.string())),
    ("tools", pa.string()),
    ("response_format", pa.string()),
    ("tool_choice", pa.string()),
    ("labelled", pa.bool_()),
    ("teacher_answer", pa.string()),
    ("multiplicity", pa.int32()),
    ("newest", pa.bool_()),
]
DRAFT = pa.schema([("side", pa.string()), *_COLUMNS])
"""What is known before examples have been compared with one another."""
EXAMPLES = pa.schema([*_COLUMNS, ("weight", pa.float32()), ("novelty", pa.float32())])
"""The columns of a dataset's files."""


def draft_of(
    chat: Chat,
    *,
    identity: str,
    time: datetime,
    side: str,
    root: int,
    multiplicity: int,
    newest: bool,
    held: Sequence[Mapping[str, Any]],
    logprobs: Mapping[str, str],
) -> dict[str, Any]:
    """One row of DRAFT; ``held`` are the turns that this one holds: ``position`` in the messages, and ``id``.

    ``logprobs`` are by the id of an exchange.
    """
    turns = [*sorted((turn["position"], turn["id"]) for turn in held), (len(chat.body.messages), identity)]
    labelled = chat.answer is not chat.logged
    soft = [logprobs.get(name) for _, name in turns]
    teacher = json_text.encode(chat.logged).decode() if labelled and chat.logged else None
    return {
        "side": side,
        "id": identity,
        "time": time,
        "group": f"{root & 0xFFFF_FFFF_FFFF_FFFF:016x}",
        "messages": json_text.encode([*chat.body.messages, chat.answer]).decode(),
        "learn": [position for position, _ in turns],
        "exchange_ids": [name for _, name in turns],
        "logprobs": soft if any(soft) else None,
        "tools": json_text.encode(chat.toolbox.tools).decode() if chat.toolbox.tools else None,
        "response_format": _given(bytes(chat.body.response_format)),
        "tool_choice": _given(bytes(chat.body.tool_choice)),
        "labelled": labelled,
        "teacher_answer": teacher,
        "multiplicity": multiplicity,
        "newest": newest,
    }


def _given(raw: bytes) -> str | None:
    return None if raw == b"null" else raw.decode()
