"""Completion text -> assistant message: the inverse of ``render_completion``, strict where vLLM's parser forgives."""

from __future__ import annotations

import json
import re
from typing import Any

from nightschool.errors import Unparsable

_CALL = re.compile(r"\s*<tool_call>(.*?)</tool_call>", re.DOTALL)
_START = "<tool_call>"
_JOINER = "\u2060"


def parse(text: str) -> dict[str, Any]:
    """The message in canonical form: arguments as objects, calls without ids. ``Unparsable`` if a call is broken."""
    said, start, calls = text.partition(_START)
    content = unguarded(said)
    if not start:
        return {"role": "assistant", "content": content}
    return {"role": "assistant", "content": content or None, "tool_calls": _calls(start + calls)}


def unguarded(text: str) -> str:
    """The text that a template's macro ``guarded`` was given: one word joiner behind each ``<`` that has any goes."""
    return text.replace("<" + _JOINER, "<")


def _calls(text: str) -> list[dict[str, Any]]:
    calls, end = [], 0
    while found := _CALL.match(text, end):
        calls.append({"type": "function", "function": _function(found[1])})
        end = found.end()
    if rest := text[end:].strip():
        raise Unparsable(f"after {len(calls)} tool calls stands {rest[:80]!r}")
    return calls


def _function(text: str) -> dict[str, Any]:
    try:
        call = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unparsable(f"a tool call is not JSON: {error}") from None
    match call:
        case {"name": str(name), "arguments": dict(arguments)} if len(call) == 2:
            return {"name": name, "arguments": arguments}
        case _:
            raise Unparsable(f"a tool call is not an object of name and arguments: {text.strip()[:80]!r}")
