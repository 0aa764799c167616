"""One exchange -> the chat that can be learned from it, or the reason why there is none.

Pure. What is wrong with an answer does not matter when somebody has written a label for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from distill.dataset.reasons import Excluded
from distill.dataset.tools import ToolBook, Toolbox, check_calls
from nightschool.errors import Unrenderable
from nightschool.formats.canonical import canonical_message, canonical_messages, canonical_tools
from nightschool.wire import json_text
from nightschool.wire.schema_check import Check, check_against

_NONE = msgspec.Raw(b"null")
_LONGEST_DETAIL = 200
_KEPT = 256
"""Schemas whose check is remembered."""

Fits = Callable[["Chat"], str | None]
"""Says of a chat why a student cannot be trained on it (for example its length in tokens); None if it can."""


class Exchange(NamedTuple):
    """The columns that are looked at, and the label if there is one."""

    id: str
    time: datetime
    target: str
    endpoint: str
    status: int | None
    complete: bool
    error_type: str | None
    finish_reason: str | None
    conversation: str | None
    request: str | None
    response: str | None
    label: str | None


class Body(msgspec.Struct):
    """Of a request what a prompt consists of."""

    messages: list[dict[str, Any]]
    tools: msgspec.Raw = _NONE
    functions: msgspec.Raw = _NONE
    tool_choice: msgspec.Raw = _NONE
    response_format: msgspec.Raw = _NONE


@dataclass(frozen=True, slots=True)
class Chat:
    """A prompt and the answer to learn."""

    body: Body
    toolbox: Toolbox
    answer: dict[str, Any]
    logged: dict[str, Any] | None
    """What the teacher answered, where that can be used."""


_decode_body = msgspec.json.Decoder(Body).decode


def read_body(request: str | None) -> Body | None:
    """The prompt, None where there is none."""
    text = (request or "").encode("utf-8", "replace")
    try:
        return _decode_body(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return _decode_body(json_text.encode(json_text.decode(text)))
    except (ValueError, RecursionError):
        return None


def read_chat(
    exchange: Exchange, body: Body | None, message: dict[str, Any] | None, book: ToolBook, fits: Fits | None = None
) -> Chat:
    """The chat of an exchange, whose bodies have been read; raises Excluded."""
    if exchange.endpoint != "/chat/completions":
        raise Excluded("not_a_chat", exchange.endpoint)
    if exchange.label is None:
        _check_outcome(exchange)
    if exchange.request is None or (exchange.response is None and exchange.label is None):
        raise Excluded("no_text")
    if body is None or not body.messages:
        raise Excluded("unparseable", "the request")
    toolbox = book.toolbox(bytes(body.functions if body.tools is _NONE else body.tools))
    chat = _labelled(exchange, body, message, toolbox) or _logged(body, message, toolbox)
    _check_writable(chat)
    if fits is not None and (fault := fits(chat)):
        raise Excluded("too_long", fault)
    return chat


def _check_outcome(exchange: Exchange) -> None:
    if exchange.target != "teacher":
        raise Excluded("student_served")
    if not exchange.complete:
        raise Excluded("cut", exchange.error_type or "")
    if exchange.status != 200 or exchange.error_type is not None:
        raise Excluded("failed", exchange.error_type or f"status {exchange.status}")
    if exchange.finish_reason == "length":
        raise Excluded("truncated")
    if exchange.finish_reason == "content_filter":
        raise Excluded("filtered")


def _labelled(exchange: Exchange, body: Body, message: dict[str, Any] | None, toolbox: Toolbox) -> Chat | None:
    if exchange.label is None:
        return None
    try:
        _check_outcome(exchange)
        logged = _logged(body, message, toolbox).answer
    except Excluded:
        logged = None
    return Chat(body, toolbox, json_text.decode(exchange.label.encode()), logged)


def _logged(body: Body, message: dict[str, Any] | None, toolbox: Toolbox) -> Chat:
    if message is None:
        raise Excluded("unparseable", "the answer")
    if not any(message.get(name) for name in ("content", "tool_calls", "function_call", "refusal")):
        raise Excluded("no_answer")
    check_calls(message, toolbox)
    _check_format(body.response_format, message)
    return Chat(body, toolbox, message, message)


def _check_format(response_format: msgspec.Raw, message: dict[str, Any]) -> None:
    content = message.get("content")
    if response_format is _NONE or not isinstance(content, str) or message.get("refusal"):
        return
    wanted = json_text.decode(response_format)
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("json_object", "json_schema"):
        return
    try:
        value = json_text.decode(content.encode("utf-8", "replace"))
    except ValueError:
        raise Excluded("invalid_json") from None
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if kind == "json_schema" and isinstance(inner, dict) else None
    if fault := _check_schema(json_text.canonical(schema))(value):
        raise Excluded("schema_invalid", fault)


@lru_cache(_KEPT)
def _check_schema(schema: bytes) -> Check:
    return check_against(json_text.decode(schema))


def _check_writable(chat: Chat) -> None:
    try:
        canonical_messages(chat.body.messages)
        canonical_message(chat.answer)
        canonical_tools(chat.toolbox.tools)
    except Unrenderable as error:
        raise Excluded("unwritable", str(error.problem)[:_LONGEST_DETAIL]) from error
