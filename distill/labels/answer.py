"""Assistant messages: as they are logged, and as a person writes them."""

from __future__ import annotations

from typing import Any

from nightschool.errors import Unrenderable
from nightschool.formats.canonical import canonical_message
from nightschool.store.imports.item import Unreadable
from nightschool.wire import json_text

_TOLD = ("content", "refusal", "tool_calls", "function_call")


def logged_answer(response: str | None) -> dict[str, Any] | None:
    """The message of the first choice, without what is null; None where there is none."""
    try:
        document = json_text.decode((response or "").encode("utf-8", "replace"))
        message = document["choices"][0]["message"]
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    return bare_answer(message) if isinstance(message, dict) else None


def bare_answer(message: dict[str, Any]) -> dict[str, Any]:
    """Role, text and calls of an assistant message; what upstreams add to it is left away."""
    told = {name: message[name] for name in _TOLD if message.get(name)}
    if not told and message.get("content") is not None:
        told["content"] = message["content"]
    return {"role": "assistant", **told}


def written_answer(given: Any) -> dict[str, Any]:
    """A corrected answer in the form of the wire; it may be text, and arguments may be objects. Raises Unreadable."""
    message = {"role": "assistant", "content": given} if isinstance(given, str) else given
    if not isinstance(message, dict) or message.get("role", "assistant") != "assistant":
        raise Unreadable("has a message that is neither text nor an assistant message")
    message = {**message, "role": "assistant"}
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [_on_the_wire(call, number) for number, call in enumerate(message["tool_calls"])]
    try:
        canonical_message(message)
    except Unrenderable as error:
        raise Unreadable(f"has a message that cannot be learned: {error.problem}") from error
    return bare_answer(message)


def _on_the_wire(call: Any, number: int) -> Any:
    if not isinstance(call, dict):
        return call
    function = call.get("function")
    if isinstance(function, dict) and isinstance(function.get("arguments"), dict):
        function = {**function, "arguments": json_text.encode(function["arguments"]).decode()}
    return {"id": f"call_{number}", "type": "function", **call, "function": function}
