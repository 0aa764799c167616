"""Whose tool calls a request brings the results of: an agent's loop ends with whoever began it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from proxy.call_ids import digits_in


class Loop(NamedTuple):
    """The request goes on with somebody's tool calls."""

    digits: str | None
    """Of the adapter that made them; None for a teacher's."""


class _Message(msgspec.Struct):
    role: Any = None
    tool_call_id: Any = None


_decode = msgspec.json.Decoder(list[_Message]).decode


def loop_of(body: bytes, messages: msgspec.Raw) -> Loop | None:
    """None where the last message is no tool's result."""
    if b'"tool_call_id"' not in body:
        return None
    try:
        said = _decode(messages)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    ids: list[str] = []
    for message in reversed(said):
        if message.role != "tool":
            break
        if isinstance(message.tool_call_id, str):
            ids.append(message.tool_call_id)
    if not ids:
        return None
    return Loop(next((found for each in ids if (found := digits_in(each)) is not None), None))
