"""Tools of a request: their newest definitions, and whether a call keeps to them.

A tool whose schema has changed is shown to the student as it is today, and answers that are wrong today are left out.
Changed means: the old definition was last seen before the new one was first seen. Definitions that come and go side by
side are variety, and so are more than ``MOST_VERSIONS`` of one name: they stay as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from distill.dataset.reasons import Excluded
from nightschool.wire import json_text
from nightschool.wire.fingerprint import mask
from nightschool.wire.schema_check import Check, check_against

MOST_VERSIONS = 8
_KEPT = 512

Tool = dict[str, Any]


@dataclass
class _Version:
    definition: Tool
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Toolbox:
    """The tools of one request, as a student is shown them."""

    tools: list[Tool]
    checks: dict[str, Check] = field(default_factory=dict)
    own_checks: dict[str, Check] = field(default_factory=dict)
    """By the definitions that were sent."""
    is_outdated: bool = False


class ToolBook:
    """Definitions by name, and toolboxes by the text that a request holds."""

    def __init__(self, seen: Iterable[tuple[str, datetime, datetime]]) -> None:
        """``seen``: the tools of requests as JSON, each with its first and last time."""
        self._versions: dict[str, dict[bytes, _Version]] = {}
        for text, first, last in seen:
            for tool in definitions(json_text.decode(text.encode())):
                self._see(tool, first, last)
        self._newest = {name: newest for name, of in self._versions.items() if (newest := _newest(of))}
        self.toolbox = lru_cache(_KEPT)(self._toolbox)

    def _see(self, tool: Tool, first: datetime, last: datetime) -> None:
        versions = self._versions.setdefault(_name(tool), {})
        key = _contract(tool)
        known = versions.get(key)
        if known is not None:
            latest = (
                tool
                if (last, json_text.canonical(tool)) > (known.last, json_text.canonical(known.definition))
                else known.definition
            )
            versions[key] = _Version(latest, min(first, known.first), max(last, known.last))
        elif len(versions) <= MOST_VERSIONS:
            versions[key] = _Version(tool, first, last)

    def _toolbox(self, text: bytes) -> Toolbox:
        """Of the raw JSON of ``tools`` or ``functions``."""
        own = definitions(json_text.decode(text))
        shown = [self._current(tool) for tool in own]
        return Toolbox(
            tools=shown,
            checks={_name(tool): _check(tool) for tool in shown},
            own_checks={_name(tool): _check(tool) for tool in own},
            is_outdated=shown != own,
        )

    def _current(self, tool: Tool) -> Tool:
        name = _name(tool)
        newest = self._newest.get(name)
        mine = self._versions[name].get(_contract(tool)) if newest else None
        return newest.definition if newest and mine and mine.last < newest.first else tool


def check_calls(message: dict[str, Any], toolbox: Toolbox) -> None:
    """Raise Excluded unless every call of the answer keeps to a tool on offer.

    Where the request lists no tools (trajectories often leave them out), the arguments must be an object, and no more.
    """
    for name, arguments in _calls(message):
        if toolbox.tools and name not in toolbox.checks:
            raise Excluded("unknown_tool", f"it calls {name!r}")
        try:
            value = json_text.decode((arguments or "{}").encode("utf-8", "replace"))
        except (ValueError, AttributeError):
            raise Excluded("invalid_arguments", f"{name}: not JSON") from None
        if not isinstance(value, dict):
            raise Excluded("invalid_arguments", f"{name}: no object")
        if toolbox.tools and (fault := toolbox.checks[name](value)):
            was_right = toolbox.is_outdated and toolbox.own_checks[name](value) is None
            raise Excluded("tools_changed" if was_right else "invalid_arguments", f"{name}: {fault}")


def calls_tools(message: dict[str, Any]) -> bool:
    return bool(_calls(message))


def definitions(value: Any) -> list[Tool]:
    """Tools that have a name; ``functions`` become tools."""
    if not isinstance(value, list):
        return []
    tools = [
        entry if "function" in entry or "type" in entry else {"type": "function", "function": entry}
        for entry in value
        if isinstance(entry, dict)
    ]
    return [tool for tool in tools if _name(tool)]


def _calls(message: dict[str, Any]) -> list[tuple[str, Any]]:
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    legacy = message.get("function_call")
    named = [function for function in [*functions, legacy] if isinstance(function, dict)]
    return [(str(function.get("name")), function.get("arguments")) for function in named]


def _newest(versions: dict[bytes, _Version]) -> _Version | None:
    if not 1 < len(versions) <= MOST_VERSIONS:
        return None
    return max(versions.values(), key=lambda version: (version.last, version.first, _contract(version.definition)))


def _name(tool: Tool) -> str:
    kind = tool.get("type", "function")
    inner = tool.get(kind) if isinstance(kind, str) else None
    name = inner.get("name") if isinstance(inner, dict) else tool.get("name")
    return name if isinstance(name, str) else ""


def _check(tool: Tool) -> Check:
    function = tool.get("function")
    return check_against(function.get("parameters") if isinstance(function, dict) else None)


def _contract(tool: Tool) -> bytes:
    """What a call must keep to: descriptions are masked, since some hold the date."""
    return json_text.canonical(_masked(tool))


def _masked(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: mask(entry) if key == "description" and isinstance(entry, str) else _masked(entry)
            for key, entry in schema.items()
        }
    return [_masked(entry) for entry in schema] if isinstance(schema, list) else schema
