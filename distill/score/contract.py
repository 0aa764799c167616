"""What a request demands of its answer: tools that exist, arguments and JSON that keep to their schemas.

An answer that breaks it would fail in the application, however near it is to the right one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from distill.dataset.tools import definitions
from distill.score.message import Call, Unreadable, calls_of
from distill.score.scorer import Message, Question
from nightschool.wire import json_text
from nightschool.wire.schema_check import Check, check_against

_KEPT = 512
"""Toolboxes and schemas that are remembered: a workload has few."""


class Tool:
    """A tool on offer."""

    def __init__(self, parameters: Any) -> None:
        self.check = check_against(parameters)
        properties = parameters.get("properties") if isinstance(parameters, dict) else None
        known = properties.items() if isinstance(properties, dict) else ()
        self.defaults = {
            name: inner["default"] for name, inner in known if isinstance(inner, dict) and "default" in inner
        }


def toolbox_of(question: Question) -> dict[str, Tool]:
    """The tools on offer by name."""
    return _toolbox(json_text.canonical(question.tools)) if question.tools else {}


def fault_of_call(call: Call, tools: dict[str, Tool]) -> str | None:
    """What is wrong with a call. Where a request lists no tools, arguments must be an object, and no more."""
    if isinstance(call.arguments, Unreadable):
        return f"{call.name}: the arguments are not JSON"
    if not isinstance(call.arguments, dict):
        return f"{call.name}: the arguments are no object"
    if not tools:
        return None
    if call.name not in tools:
        return f"there is no tool {call.name!r}"
    fault = tools[call.name].check(call.arguments)
    return f"{call.name}: {fault}" if fault else None


def must_be_json(message: Message, question: Question) -> bool:
    """Whether the text must be JSON and nothing else. Who was asked for it may still refuse, or call a tool."""
    wanted = (question.response_format or {}).get("type") in ("json_object", "json_schema")
    return wanted and not message.get("refusal") and not calls_of(message)


def fault_of_json(value: Any, question: Question) -> str | None:
    """What is wrong with JSON as the whole answer."""
    if isinstance(value, Unreadable):
        return "the answer is not JSON"
    wanted = question.response_format
    inner = wanted.get("json_schema") if wanted else None
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return _check(json_text.canonical(schema))(value) if schema else None


@lru_cache(_KEPT)
def _toolbox(tools: bytes) -> dict[str, Tool]:
    functions = [tool.get("function") for tool in definitions(json_text.decode(tools))]
    named = [function for function in functions if isinstance(function, dict)]
    return {str(function.get("name")): Tool(function.get("parameters")) for function in named}


@lru_cache(_KEPT)
def _check(schema: bytes) -> Check:
    return check_against(json_text.decode(schema))
