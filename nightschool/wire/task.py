"""What a request says of its task, read in one way by the rules that route it and by what groups recorded traffic."""

from __future__ import annotations

from typing import Any

import msgspec

from nightschool.wire.request import ABSENT, RequestBody, Turn, value

_INSTRUCTING = frozenset({"system", "developer"})


class _Function(msgspec.Struct):
    name: Any = None


class _Tool(msgspec.Struct):
    name: Any = None
    function: _Function | None = None
    custom: _Function | None = None


_decode_tools = msgspec.json.Decoder(list[_Tool]).decode


def tool_names(request: RequestBody) -> tuple[str, ...]:
    """Names of the tools on offer in their order, functions of the old form behind them."""
    return (*_names(request.tools), *_names(request.functions))


def schema_name(request: RequestBody) -> str | None:
    """Name of the JSON schema that the answer has to follow."""
    wanted = _member(value(request.response_format), "json_schema")
    if wanted is None:
        wanted = _member(value(request.text), "format")  # the Responses API's place for it
    name = _member(wanted, "name")
    return name if isinstance(name, str) else None


def instructs(turn: Turn) -> bool:
    """It is a system or developer message."""
    return turn.role in _INSTRUCTING


def turn_text(turn: Turn) -> str:
    """A message's text: the string itself, or the text parts of a list."""
    content = turn.content
    if isinstance(content, list):
        return "".join(part for part in (_member(entry, "text") for entry in content) if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _names(tools: msgspec.Raw) -> list[str]:
    if tools is ABSENT:
        return []
    try:
        entries = _decode_tools(tools)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _odd_names(value(tools))
    named = [entry.function or entry.custom or entry for entry in entries]
    return [entry.name for entry in named if isinstance(entry.name, str)]


def _odd_names(entries: Any) -> list[str]:
    """Of a list in which not everything is a tool."""
    if not isinstance(entries, list):
        return []
    named = [_member(entry, "function") or _member(entry, "custom") or entry for entry in entries]
    return [name for entry in named if isinstance(name := _member(entry, "name"), str)]


def _member(container: Any, key: str) -> Any:
    return container.get(key) if isinstance(container, dict) else None
