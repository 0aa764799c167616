"""What an assistant message says: its text, the JSON in it, its tool calls."""

from __future__ import annotations

from typing import Any, NamedTuple

from distill.score.scorer import Message
from nightschool.wire import json_text

_MOST_DEEP = 100
"""What is nested more deeply is nobody's argument, and would exhaust the stack of what compares it."""


class Unreadable:
    """Stands where JSON should have been; only equal to the same broken text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unreadable) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class Call(NamedTuple):
    """A tool call."""

    name: str
    arguments: Any
    """Their value; Unreadable if they are not JSON."""


def text_of(message: Message) -> str:
    """The text of the content, else of the refusal."""
    return _text(message.get("content")) or _text(message.get("refusal"))


def calls_of(message: Message) -> list[Call]:
    """Tool calls in their order; the older ``function_call`` is one."""
    calls = message.get("tool_calls")
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    if isinstance(old := message.get("function_call"), dict):
        found.append({"function": old})
    return [_call(call) for call in found]


def value_of(text: str) -> Any:
    """The value of a JSON text; Unreadable if it is none, or too deep."""
    try:
        value = json_text.decode(text.encode("utf-8", "replace"))
    except ValueError:
        return Unreadable(text)
    return Unreadable(text) if _is_deep(text, value) else value


def json_of(message: Message) -> Any:
    """The value of its text, perhaps in a code fence; Unreadable if that is no JSON."""
    return value_of(json_text.unfenced(text_of(message)))


def says_nothing(message: Message | None) -> bool:
    return message is None or not (text_of(message) or calls_of(message))


def canonical(message: Message) -> str:
    """Equal for messages that mean the same: JSON with sorted keys, calls in any order, no white space around text."""
    text = text_of(message).strip()
    value = value_of(text) if text[:1] in ("{", "[") else None
    calls = sorted(_canonical_call(call) for call in calls_of(message))
    return "\n".join([json_text.canonical(value).decode() if isinstance(value, dict | list) else text, *calls])


def _call(call: dict[str, Any]) -> Call:
    inner = next((call[kind] for kind in ("function", "custom") if isinstance(call.get(kind), dict)), call)
    name, arguments = inner.get("name"), inner.get("arguments", inner.get("input"))
    if isinstance(arguments, str):
        arguments = value_of(arguments) if arguments.strip() else {}
    return Call(name if isinstance(name, str) else "", {} if arguments is None else arguments)


def _canonical_call(call: Call) -> str:
    arguments = call.arguments.text if isinstance(call.arguments, Unreadable) else call.arguments
    return json_text.canonical([call.name, arguments]).decode()


def _is_deep(text: str, value: Any) -> bool:
    """Looked at level by level, and only where there are brackets enough."""
    if text.count("[") + text.count("{") <= _MOST_DEEP:
        return False
    level = [value]
    for _ in range(_MOST_DEEP):
        level = [inner for outer in level if isinstance(outer, list | dict) for inner in _inside(outer)]
    return any(isinstance(inner, list | dict) for inner in level)


def _inside(outer: list[Any] | dict[str, Any]) -> list[Any]:
    return list(outer.values()) if isinstance(outer, dict) else outer


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
