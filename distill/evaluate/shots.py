"""Training examples -> turns that show a base model what is wanted: prompting must lose before tuning is worth it.

The same few for every question, so that an engine reads them once: drawn by a hash, as different from one another as
they can be, and not long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from distill.score.message import calls_of, canonical
from distill.score.scorer import Message
from nightschool.wire import json_text

_LOOKED_AT = 400
_LONGEST = 2_000
"""Bytes of a turn with its answer: several must fit in front of a question."""
_SYSTEM = ("system", "developer")


class Shot(NamedTuple):
    """An example, without its system prompt."""

    example: str
    turns: list[Message]


def draw(folder: Path, count: int) -> list[Shot]:
    """Up to ``count`` examples of the training side."""
    candidates: list[tuple[bytes, str, list[Message]]] = []
    with pq.ParquetFile(folder / "train.parquet") as file:
        for batch in file.iter_batches(batch_size=64, columns=["id", "messages", "learn"]):
            for row in batch.to_pylist():
                if turns := _turns(row):
                    candidates.append((_place(row["id"]), row["id"], turns))
                    if len(candidates) >= 2 * _LOOKED_AT:
                        candidates = sorted(candidates, key=lambda candidate: candidate[0])[:_LOOKED_AT]
    candidates.sort(key=lambda candidate: candidate[0])
    return _different(candidates, count)


def with_shots(messages: Sequence[Message], shots: Sequence[Shot]) -> list[Message]:
    """The examples between the system prompt and the conversation."""
    begin = next((i for i, message in enumerate(messages) if message.get("role") not in _SYSTEM), len(messages))
    shown = [turn for shot in shots for turn in shot.turns]
    return [*messages[:begin], *shown, *messages[begin:]]


def _turns(row: dict[str, Any]) -> list[Message]:
    """A question and its answer; nothing where an example has more turns, or is long."""
    if len(row["learn"]) != 1:
        return []
    messages: list[Message] = json_text.decode(row["messages"].encode("utf-8", "replace"))
    turns = [message for message in messages if message.get("role") not in _SYSTEM]
    roles = [message.get("role") for message in turns]
    if roles != ["user", "assistant"] or len(json_text.encode(turns)) > _LONGEST:
        return []
    return turns


def _different(candidates: Sequence[tuple[bytes, str, list[Message]]], count: int) -> list[Shot]:
    """First those whose answers differ in what they call or say, then the rest."""
    chosen: list[Shot] = []
    for kind in (_called, _said):
        seen = {kind(shot.turns[-1]) for shot in chosen}
        for _, example, turns in candidates:
            if len(chosen) < count and kind(turns[-1]) not in seen:
                seen.add(kind(turns[-1]))
                chosen.append(Shot(example, turns))
    taken = {shot.example for shot in chosen}
    rest = [Shot(example, turns) for _, example, turns in candidates if example not in taken]
    return [*chosen, *rest][:count]


def _called(answer: Message) -> str:
    return ",".join(sorted(call.name for call in calls_of(answer)))


def _said(answer: Message) -> str:
    return canonical(answer)


def _place(name: str) -> bytes:
    return hashlib.sha256(f"few_shot\0{name}".encode()).digest()
