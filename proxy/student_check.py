"""What a request demands of a student's answer, and what is wrong with an answer. Pure.

An answer that breaks it would fail in the application, so the teacher is asked instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from nightschool.wire import json_text
from nightschool.wire.schema_check import Check, check_against

Json = dict[str, Any]

_KEPT = 256
"""Toolboxes and schemas that are remembered: a workload has few."""
_FINISHED = ("stop", "tool_calls", "length")
CALL_TAG = "<tool_call>"
_JSON_BEGINS = tuple('{["-0123456789tfn')


class Fault(NamedTuple):
    """What is wrong with an answer."""

    what: str
    quoted: str = ""
    """The words of the answer that it is about."""

    def __str__(self) -> str:
        return f"{self.what}: {self.quoted}" if self.quoted else self.what


@dataclass(frozen=True, slots=True)
class Demands:
    """What the client's request says of an answer."""

    tools: dict[str, Check] = field(default_factory=dict)
    """The tools that may be called."""
    choice: str = "auto"
    """``none``, ``auto`` or ``required``; where one tool is named it is required and the only one in ``tools``."""
    legacy: bool = False
    """The tools are ``functions`` of the old form, and so is a call of one."""
    one_call: bool = False
    json: bool = False
    """Text must be a JSON value."""
    schema: Check | None = None
    """What that value must keep to."""
    most_tokens: int | None = None
    """An answer that long may be cut."""

    @property
    def needs_call(self) -> bool:
        return self.choice == "required"


def demands_of(body: Json) -> Demands:
    """Read them from the request as the client sent it."""
    legacy = not body.get("tools") and bool(body.get("functions"))
    tools = _toolbox(json_text.canonical(body.get("tools") or body.get("functions") or []))
    choice, named = _choice(body.get("function_call" if legacy else "tool_choice"))
    kind, schema = _format(body.get("response_format"))
    lengths = [body.get(name) for name in ("max_completion_tokens", "max_tokens")]
    given = [length for length in lengths if isinstance(length, int)]
    return Demands(
        tools=tools if named is None else {name: check for name, check in tools.items() if name in named},
        choice=choice,
        legacy=legacy,
        one_call=legacy or body.get("parallel_tool_calls") is False,
        json=kind in ("json_object", "json_schema"),
        schema=_schema_check(json_text.canonical(schema)) if schema is not None else None,
        most_tokens=min(given, default=None),
    )


def fault_of(message: Json, finish_reason: str | None, completion_tokens: int | None, demands: Demands) -> Fault | None:
    """What is wrong with an answer as the replica gave it; None for a good one."""
    if finish_reason not in _FINISHED:
        return Fault(f"it ended with {finish_reason!r}")
    if finish_reason == "length" and not _cut_as_allowed(completion_tokens, demands):
        return Fault("it was cut off before it was complete")
    calls = message.get("tool_calls") or []
    if calls:
        return _fault_of_calls(calls, demands)
    if demands.needs_call:
        return Fault("it calls no tool, and the request demands a call")
    return _fault_of_text(message.get("content"), demands)


def may_begin(text: str, demands: Demands) -> bool | None:
    """Whether a good answer can begin so; None where more has to be seen."""
    said = text.lstrip()
    if not said or (len(said) < len(CALL_TAG) and CALL_TAG.startswith(said)):
        return None
    if said.startswith(CALL_TAG):
        return False
    if not demands.json:
        return True
    return said.startswith("{" if demands.schema is None else _JSON_BEGINS)


def _cut_as_allowed(completion_tokens: int | None, demands: Demands) -> bool:
    most = demands.most_tokens
    return most is not None and (completion_tokens is None or completion_tokens >= most)


def _fault_of_calls(calls: list[Json], demands: Demands) -> Fault | None:
    if demands.choice == "none":
        return Fault("it calls a tool, and the request forbids that")
    if demands.one_call and len(calls) > 1:
        return Fault(f"it makes {len(calls)} calls, and the request allows one")
    return next((fault for call in calls if (fault := _fault_of_call(call, demands))), None)


def _fault_of_call(call: Json, demands: Demands) -> Fault | None:
    function = call.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(function, dict) or name not in demands.tools:
        return Fault("it calls what is not on offer", repr(name))
    try:
        arguments = _strictly(arguments_of(call))
    except ValueError as error:
        return Fault(f"the arguments of {name} are not JSON", str(error))
    if not isinstance(arguments, dict):
        return Fault(f"the arguments of {name} are no object")
    fault = demands.tools[name](arguments)
    return None if fault is None else Fault(f"the arguments of {name} break their schema", fault)


def arguments_of(call: Json) -> str:
    """As the application gets them: some servers write nothing where there are none."""
    text = call["function"].get("arguments")
    return (text or "{}") if isinstance(text, str) else ""


def _fault_of_text(content: Any, demands: Demands) -> Fault | None:
    if not isinstance(content, str) or not content.strip():
        return Fault("it is empty")
    if content.lstrip().startswith(CALL_TAG) or (demands.tools and CALL_TAG in content):
        return Fault("it has a tool call that cannot be read")
    if not demands.json:
        return None
    try:
        value = _strictly(content)
    except ValueError as error:
        return Fault("it is not JSON", str(error))
    if demands.schema is None:
        return None if isinstance(value, dict) else Fault("it is JSON, but no object")
    fault = demands.schema(value)
    return None if fault is None else Fault("it breaks the schema", fault)


def _strictly(text: Any) -> Any:
    """The value of JSON that any parser reads."""
    try:
        return msgspec.json.decode(text if isinstance(text, str) else "")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _choice(given: Any) -> tuple[str, tuple[str, ...] | None]:
    """What is to be done, and the names that it is limited to."""
    if not isinstance(given, dict):
        return (given if given in ("none", "required") else "auto"), None
    allowed = given.get("allowed_tools")
    if isinstance(allowed, dict):
        tools = allowed.get("tools")
        names = [_name(tool) for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
        return ("required" if allowed.get("mode") == "required" else "auto"), tuple(names)
    return "required", (_name(given),)


def _name(tool: Json) -> str:
    inner = tool.get("function")
    return str((inner if isinstance(inner, dict) else tool).get("name"))


def _format(given: Any) -> tuple[Any, Any]:
    """Its kind, and the schema."""
    if not isinstance(given, dict):
        return None, None
    inner = given.get("json_schema")
    return given.get("type"), inner.get("schema") if isinstance(inner, dict) else None


@lru_cache(_KEPT)
def _toolbox(tools: bytes) -> dict[str, Check]:
    return {_name(tool): _check_of(tool) for tool in json_text.decode(tools) if isinstance(tool, dict)}


def _check_of(tool: Json) -> Check:
    inner = tool.get("function")
    return check_against((inner if isinstance(inner, dict) else tool).get("parameters"))


@lru_cache(_KEPT)
def _schema_check(schema: bytes) -> Check:
    return check_against(json_text.decode(schema))
