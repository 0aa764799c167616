"""Messages and tools as they come from applications -> the plain form that templates are written for.

Content is one string, arguments are objects, and what went out of use is written the new way: ``function_call`` is a
tool call, ``functions`` are tools, a refusal is text. What cannot be written raises ``Unrenderable``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from nightschool.errors import Unrenderable, UnrenderableReason
from nightschool.wire.json_text import mend

Message = dict[str, Any]

_NAME = re.compile(r'[^"\\<\x00-\x1f]+')
_LEGACY_ID = "function_call"


def canonical_messages(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Each message in its plain form, in the same order."""
    if not messages:
        raise Unrenderable("no_messages", "there is no message")
    return [canonical_message(message) for message in messages]


def served_messages(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """What to send to a server, so that it renders what ``render_prompt`` renders: arguments are JSON text again.

    Sent as they came, messages may be rendered otherwise: vLLM drops a ``function_call`` and a ``refusal`` in silence,
    and takes broken arguments for none.
    """
    served = canonical_messages(messages)
    for call in (call for message in served for call in message.get("tool_calls", [])):
        call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    return served


def canonical_message(message: Mapping[str, Any]) -> Message:
    """One message with only the fields that templates read."""
    match role := message.get("role"):
        case "assistant":
            return _answer(message)
        case "system" | "developer" | "user":
            plain: Message = {"role": role, "content": _text(message.get("content"))}
            if isinstance(name := message.get("name"), str):
                plain["name"] = mend(name)
            return plain
        case "tool":
            return _result(message, message.get("tool_call_id"))
        case "function":
            return _result(message, _LEGACY_ID)
        case _:
            raise Unrenderable("unknown_role", f"there is no role {role!r}")


def canonical_tools(tools: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The tools of a request, or its ``functions``, each with name, description and parameters; None for no tools."""
    return [_tool(tool) for tool in tools] if tools else None


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if (kind := tool.get("type", "function")) != "function":
        raise Unrenderable("custom_tool", f"a tool of type {kind!r}: only functions can be written")
    function = tool.get("function", tool)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise Unrenderable("malformed_tool", "a tool has no name")
    fields = {name: function[name] for name in ("name", "description", "parameters") if function.get(name) is not None}
    return {"type": "function", "function": _json_object(fields, "malformed_tool", f"tool {function['name']!r}")}


def _result(message: Mapping[str, Any], call_id: Any) -> Message:
    return {"role": "tool", "content": _text(message.get("content")), "tool_call_id": call_id}


def _answer(message: Mapping[str, Any]) -> Message:
    if message.get("audio"):
        raise Unrenderable("content_part", "the answer is audio")
    said = [_text(message.get("content")), _text(message.get("refusal"))]
    content = "\n".join(text for text in said if text)
    if calls := _calls(message):
        return {"role": "assistant", "content": content or None, "tool_calls": calls}
    if message.get("content") is None and not content:
        raise Unrenderable("no_answer", "an assistant message has neither content nor tool calls")
    return {"role": "assistant", "content": content}


def _calls(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = message.get("tool_calls") or []
    if not isinstance(given, list):
        raise Unrenderable("custom_tool_call", f"the tool calls are no list but {type(given).__name__}")
    calls = [_call(call) for call in given]
    if legacy := message.get("function_call"):
        calls.append(_call({"id": _LEGACY_ID, "function": legacy}))
    return calls


def _call(call: Any) -> dict[str, Any]:
    kind = call.get("type") or "function" if isinstance(call, Mapping) else type(call).__name__
    if kind != "function":
        raise Unrenderable("custom_tool_call", f"a tool call of type {kind!r}: only functions can be written")
    function = call.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or _NAME.fullmatch(mend(name)) is None:
        raise Unrenderable("function_name", f"a call of {name!r}, which is no function name that a parser reads back")
    arguments = _arguments(function.get("arguments"), f"the arguments of {name!r}")
    return {"id": call.get("id"), "type": "function", "function": {"name": mend(name), "arguments": arguments}}


def _arguments(value: Any, what: str) -> dict[str, Any]:
    if value is None or value == "":
        return {}  # how servers write a call without arguments
    if isinstance(value, Mapping):
        return _json_object(value, "invalid_arguments", what)
    try:
        parsed = json.loads(value, parse_float=_finite, parse_constant=_no_number)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unrenderable("invalid_arguments", f"{what} are not JSON: {error}") from None
    return _json_object(parsed, "invalid_arguments", what)


def _json_object(value: Any, reason: UnrenderableReason, what: str) -> dict[str, Any]:
    """The value as it comes back from its JSON text: plain types, no half characters."""
    try:
        plain = json.loads(mend(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    except (TypeError, ValueError, RecursionError) as error:
        raise Unrenderable(reason, f"{what} are not JSON: {error}") from None
    if not isinstance(plain, dict):
        raise Unrenderable(reason, f"{what} are not a JSON object but {type(plain).__name__}")
    return plain


def _finite(digits: str) -> float:
    if (number := float(digits)) in (float("inf"), float("-inf")):
        raise ValueError(f"{digits} is out of range")
    return number


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _text(content: Any) -> str:
    """Content as one string; its parts stand on lines of their own, as servers write them."""
    if content is None:
        return ""
    if isinstance(content, str):
        return mend(content)
    if not isinstance(content, list):
        raise Unrenderable("content_part", f"content is {type(content).__name__}, not text")
    return "\n".join(text for text in map(_part, content) if text)


def _part(part: Any) -> str:
    text = part
    if isinstance(part, Mapping) and (kind := part.get("type")) in ("text", "refusal"):
        text = part.get(kind)
    if not isinstance(text, str):
        kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
        raise Unrenderable("content_part", f"a content part of type {kind!r}: only text can be written")
    return mend(text)
