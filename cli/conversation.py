"""A recorded exchange as something a person reads: who said what, which tools were called, how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from cli.cells import dollars, duration, moment, tokens


class Turn(NamedTuple):
    """One message."""

    role: str
    text: str


def turns(row: Mapping[str, Any]) -> list[Turn]:
    """The messages of the request and then of the answer; what has no messages is shown as it is."""
    request, response = document(row["request"]), document(row["response"])
    return [*_asked(request), *_answered(response)]


def last_question(request: str | None) -> str:
    """What the user said last, on one line."""
    said = [turn.text for turn in _asked(document(request)) if turn.role == "user"]
    return " ".join(said[-1].split()) if said else ""


def facts(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known about an exchange besides its text: (name, value)."""
    yield "id", row["id"]
    yield "time", f"{moment(row['time'])} UTC"
    yield "workload", row["workload"] or "none"
    yield "conversation", row["conversation"] or ""
    yield "answered by", " / ".join(filter(None, (row["target"], row["upstream"], row["adapter"], row["reason"])))
    yield "model", _model(row)
    yield "status", _status(row)
    yield "tokens", tokens(row["prompt_tokens"], row["completion_tokens"])
    yield "cost", dollars(row["cost_usd"])
    yield "latency", _latency(row)
    yield "tags", ", ".join(f"{name}={value}" for name, value in row["tags"].items())
    yield "client", row["client"] or ""


def document(text: str | None) -> Any:
    """Parsed JSON, or the text itself where it is none."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _asked(request: Any) -> list[Turn]:
    if isinstance(request, dict):
        messages = request.get("messages", request.get("input"))
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            system = [Turn("system", _text(request["instructions"]))] if request.get("instructions") else []
            return system + [turn for message in messages for turn in _message(message)]
        if isinstance(said := request.get("prompt", messages), str):
            return [Turn("user", said)]
    return [] if request is None else [Turn("request", _pretty(request))]


def _answered(response: Any) -> list[Turn]:
    if isinstance(response, dict):
        choices = response.get("choices")
        if isinstance(choices, list) and choices:
            return [turn for choice in choices for turn in _choice(choice)]
        if isinstance(response.get("output"), list):
            return [turn for item in response["output"] if isinstance(item, dict) for turn in _message(item)]
    return [] if response is None else [Turn("response", _pretty(response))]


def _choice(choice: Any) -> Iterator[Turn]:
    if isinstance(choice, dict) and isinstance(choice.get("message"), dict):
        yield from _message({"role": "assistant", **choice["message"]})
    elif isinstance(choice, dict) and isinstance(choice.get("text"), str):
        yield Turn("assistant", choice["text"])
    else:
        yield Turn("response", _pretty(choice))


def _message(message: dict[str, Any]) -> Iterator[Turn]:
    """Text first, then one turn per tool call."""
    role = str(message.get("role") or message.get("type") or "message")
    if role == "tool" and message.get("name"):
        role = f"tool {message['name']}"
    if text := _text(message.get("content")) or _text(message.get("refusal")) or _text(message.get("output")):
        yield Turn(role, text)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        yield Turn(f"{role} calls", _call(function if isinstance(function, dict) else call))
    if message.get("type") == "function_call" or message.get("function_call"):
        yield Turn("assistant calls", _call(message.get("function_call") or message))


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


def _model(row: Mapping[str, Any]) -> str:
    requested, served = row["model_requested"], row["model_served"]
    return f"{requested} → {served}" if requested and served and requested != served else served or requested or ""


def _status(row: Mapping[str, Any]) -> str:
    parts = ["none" if row["status"] is None else str(row["status"])]
    parts += [] if row["complete"] else ["cut"]
    parts += [part for part in (row["error_type"], row["finish_reason"]) if part]
    return ", ".join(parts)


def _latency(row: Mapping[str, Any]) -> str:
    first = row["first_token_ms"]
    return duration(row["latency_ms"]) + (f", first token after {duration(first)}" if first is not None else "")
