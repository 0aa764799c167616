"""What is known of every exchange before any is chosen: its verdict and its keys, small however long the chat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from distill.dataset.chat import Body, Exchange, Fits, read_body, read_chat
from distill.dataset.identity import Keys, conversation_key, frame_key, joined, keys_of
from distill.dataset.reasons import Excluded
from distill.dataset.tools import ToolBook, calls_tools
from distill.labels.answer import logged_answer
from nightschool.store.schema import TIME
from nightschool.wire import json_text
from nightschool.wire.fingerprint import conversation
from nightschool.wire.request import read_request

_FACTS: list[tuple[str, pa.DataType]] = [
    ("row", pa.int64()),
    ("id", pa.string()),
    ("time", TIME),
    ("reason", pa.string()),
    ("detail", pa.string()),
    ("conversation", pa.int64()),
    ("input", pa.int64()),
    ("same", pa.int64()),
    ("frame", pa.int64()),
    ("answered", pa.int64()),
    ("learned", pa.int64()),
    ("length", pa.int32()),
    ("labelled", pa.bool_()),
    ("unchecked", pa.bool_()),
    ("prefixes", pa.list_(pa.int64())),
]
FACTS = pa.schema(_FACTS)
_DERIVED_LENGTH = 32


class Fact(NamedTuple):
    """One row; the fields stand in the order of the columns."""

    row: int
    id: str
    time: Any
    reason: str | None = None
    detail: str | None = None
    conversation: int | None = None
    """Of a conversation that the application has named; without a name it is what the prefixes tell."""
    input: int | None = None
    same: int | None = None
    """Two exchanges with this in common have exactly the same input."""
    frame: int | None = None
    answered: int | None = None
    """With the logged answer: what the conversation went on from."""
    learned: int | None = None
    """With the answer to learn, which may be a label."""
    length: int | None = None
    """Messages of the prompt."""
    labelled: bool = False
    unchecked: bool = False
    """It calls tools, but the request lists none."""
    prefixes: list[int] | None = None


def facts_of(
    exchanges: Iterable[Exchange], book: ToolBook, *, first_row: int, fits: Fits | None = None
) -> Iterator[Fact]:
    """The facts, one an exchange; rows are numbered from ``first_row``."""
    for row, exchange in enumerate(exchanges, start=first_row):
        yield _fact(row, exchange, book, fits)


def table_of(facts: Iterable[Fact]) -> pa.Table:
    """At least one fact as columns."""
    columns = zip(*facts, strict=True)
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, FACTS, strict=True)], schema=FACTS
    )


def _fact(row: int, exchange: Exchange, book: ToolBook, fits: Fits | None) -> Fact:
    body = read_body(exchange.request)
    message = logged_answer(exchange.response)
    known = Fact(row, exchange.id, exchange.time, labelled=exchange.label is not None)
    if body is not None and body.messages:
        known = _with_keys(known, exchange, body, keys_of(body.messages, message))
    try:
        chat = read_chat(exchange, body, message, book, fits)
    except Excluded as why:
        return known._replace(reason=why.reason, detail=why.detail or None)
    tools = json_text.canonical(chat.toolbox.tools)
    frame = frame_key(tools, bytes(chat.body.tool_choice), bytes(chat.body.response_format))
    relabelled = chat.answer is not message
    learned = keys_of(chat.body.messages, chat.answer).answered if relabelled else known.answered
    unchecked = not chat.toolbox.tools and calls_tools(chat.answer)
    return known._replace(frame=frame, same=joined(known.input or 0, frame), learned=learned, unchecked=unchecked)


def _with_keys(fact: Fact, exchange: Exchange, body: Body, keys: Keys) -> Fact:
    return fact._replace(
        conversation=_named_conversation(exchange),
        input=keys.input,
        answered=keys.answered,
        length=len(body.messages),
        prefixes=keys.prefixes,
    )


def _named_conversation(exchange: Exchange) -> int | None:
    """None for a name that was derived from the first messages: few-shot examples are the same in every prompt."""
    name = exchange.conversation
    if name is None:
        return None
    if len(name) == _DERIVED_LENGTH:
        fields = read_request((exchange.request or "").encode("utf-8", "replace"))
        if fields is not None and conversation(fields) == name:
            return None
    return conversation_key(name)
