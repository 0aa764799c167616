"""Recorded messages as a page shows them: who, in which colour, and JSON on lines of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from nightschool.wire import json_text
from nightschool.wire.turns import Turn, asked, document, message_turns

_KINDS = {"developer": "system", "function": "tool"}
_LONGEST = 200_000
"""Characters of one message; a page of more is of use to nobody."""


class Shown(NamedTuple):
    """One message."""

    role: str
    kind: str
    """Class in the style sheet."""
    text: str
    code: bool


def shown(turns: Iterable[Turn]) -> list[Shown]:
    return [_shown(turn) for turn in turns]


def pretty(text: str | None) -> str:
    """JSON with line breaks; what is none as it is."""
    if text is None:
        return ""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return text


def tools_of(request: str | None) -> list[dict[str, Any]]:
    """The tools on offer: ``name``, ``description``, ``schema`` as text to read."""
    body = document(request)
    tools = body.get("tools") or body.get("functions") if isinstance(body, dict) else None
    found = []
    for tool in tools if isinstance(tools, list) else []:
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            schema = msgspec.json.encode(function.get("parameters")).decode()
            found.append(
                {
                    "name": function["name"],
                    "description": str(function.get("description") or ""),
                    "schema": pretty(schema),
                }
            )
    return found


def message_in(text: str | None) -> dict[str, Any] | None:
    """Of an answer as it is kept: a message as JSON, or what was written instead of one."""
    try:
        value = json_text.decode((text or "").encode("utf-8", "replace"))
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def answered(message: dict[str, Any]) -> list[Shown]:
    """An assistant message, whether it says that it is one or not."""
    return shown(message_turns({"role": "assistant", **message}))


def question(request: str | None) -> list[Shown]:
    return shown(asked(document(request)))


def _shown(turn: Turn) -> Shown:
    kind = turn.role.split()[0]
    text = turn.text
    if turn.is_call:
        name, bracket, rest = text.partition("(")
        text = f"{name}({pretty(rest[:-1])})" if bracket and rest.endswith(")") else text
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} … and {len(text) - _LONGEST:,} more characters"
    is_code = turn.is_call or turn.role in ("request", "response") or text.startswith(("{", "["))
    return Shown(turn.role, _KINDS.get(kind, kind), pretty(text) if is_code and not turn.is_call else text, is_code)
