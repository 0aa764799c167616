"""A recorded exchange as something a person reads: who said what, and which tools were called."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec


class Turn(NamedTuple):
    """One message."""

    role: str
    text: str
    is_call: bool = False
    """``name(arguments)``, the arguments as they were on the wire."""


def turns(row: Mapping[str, Any]) -> list[Turn]:
    """The messages of the request and then of the answer; what has no messages is shown as it is."""
    request, response = document(row["request"]), document(row["response"])
    return [*asked(request), *answered(response)]


def last_question(request: str | None) -> str:
    """What the user said last, on one line."""
    said = [turn.text for turn in asked(document(request)) if turn.role == "user"]
    return " ".join(said[-1].split()) if said else ""


def document(text: str | None) -> Any:
    """Parsed JSON, or the text itself where it is none."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def asked(request: Any) -> list[Turn]:
    """Of a request's document."""
    if isinstance(request, dict):
        messages = request.get("messages", request.get("input"))
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            system = [Turn("system", _text(request["instructions"]))] if request.get("instructions") else []
            return system + [turn for message in messages for turn in message_turns(message)]
        if isinstance(said := request.get("prompt", messages), str):
            return [Turn("user", said)]
    return [] if request is None else [Turn("request", _pretty(request))]


def answered(response: Any) -> list[Turn]:
    """Of an answer's document."""
    if isinstance(response, dict):
        choices = response.get("choices")
        if isinstance(choices, list) and choices:
            return [turn for choice in choices for turn in _choice(choice)]
        if isinstance(response.get("output"), list):
            return [turn for item in response["output"] if isinstance(item, dict) for turn in message_turns(item)]
    return [] if response is None else [Turn("response", _pretty(response))]


def _choice(choice: Any) -> Iterator[Turn]:
    if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
        yield from message_turns({"role": "assistant", **choice["message"]})
    elif isinstance(choice, dict) and isinstance(choice.get("text"), str):
        yield Turn("assistant", choice["text"])
    else:
        yield Turn("response", _pretty(choice))


def message_turns(message: dict[str, Any]) -> Iterator[Turn]:
    """Text first, then one turn per tool call."""
    role = str(message.get("role") or message.get("type") or "message")
    if role == "tool" and message.get("name"):
        role = f"tool {message['name']}"
    if text := _text(message.get("content")) or _text(message.get("refusal")) or _text(message.get("output")):
        yield Turn(role, text)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        yield Turn(f"{role} calls", _call(function if isinstance(function, dict) else call), is_call=True)
    if message.get("type") == "function_call" or message.get("function_call"):
        yield Turn("assistant calls", _call(message.get("function_call") or message), is_call=True)


def _call(function: Any) -> str:
    """``name(arguments)``, the arguments as they were on the wire."""
    if not isinstance(function, dict) or "name" not in function:
        return _pretty(function)
    return f"{function['name']}({function.get('arguments', function.get('input', ''))})"


def _text(content: Any) -> str:
    """Text of a message's content; parts that are not text are named."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else _pretty(content)
    return "\n".join(_part(part) for part in content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    return f"[{part.get('type', 'part') if isinstance(part, dict) else 'part'}]"


def _pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
