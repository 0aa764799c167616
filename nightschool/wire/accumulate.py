"""Deltas of one object, merged; the rules for every key that has no rule of its own.

What a provider adds tomorrow is kept without a change here. ``null`` never replaces a value.
"""

from __future__ import annotations

from typing import Any

from nightschool.wire import json_text

_WHOLE = frozenset({"id", "type", "role", "name", "index", "format", "status"})
"""Keys whose text always comes in one piece; a provider that repeats it must not double it."""
_MAX_DEPTH = 8


class Pieces(list[str]):
    """Text that is still growing: joined once, at the end, since adding to a str copies it every time."""


class Parts(list[Any]):
    """Content parts that are still growing: Mistral sends thinking as parts and the answer behind it as text."""


def merge(into: dict[str, Any], delta: dict[str, Any], depth: int = _MAX_DEPTH) -> None:
    """Add a delta: text is joined, lists grow, objects merge, anything else is replaced; read with ``finished``."""
    for key, new in delta.items():
        if isinstance(new, str) and key not in _WHOLE:
            into[key] = _with_text(into.get(key), new)
        elif isinstance(new, list):
            into[key] = _with_entries(into.get(key), new)
        elif isinstance(new, dict) and depth:
            old = into.get(key)
            into[key] = grown = old if isinstance(old, dict) else {}
            merge(grown, new, depth - 1)
        elif new is not None:
            into[key] = new


def finished(value: Any) -> Any:
    """The plain JSON value of what ``merge`` built."""
    if isinstance(value, Pieces):
        return json_text.mend("".join(value))
    if isinstance(value, dict):
        return {key: finished(entry) for key, entry in value.items()}
    if isinstance(value, Parts):
        return [finished(part) for part in value]
    return value


def overlay(into: dict[str, Any], update: dict[str, Any]) -> None:
    """Add news about a choice: lists grow, objects are updated, anything else (text too) is replaced."""
    for key, new in update.items():
        old = into.get(key)
        if isinstance(new, list):
            into[key] = old if isinstance(old, list) else []
            into[key].extend(new)
        elif isinstance(new, dict) and isinstance(old, dict):
            into[key] = {**old, **new}
        elif new is not None:
            into[key] = new


def _with_text(old: Any, new: str) -> Pieces | Parts:
    if isinstance(old, Pieces):
        old.append(new)
        return old
    if not isinstance(old, Parts):
        return Pieces([new])
    last = old[-1] if old else None
    if isinstance(last, dict) and isinstance(last.get("text"), Pieces):
        last["text"].append(new)
    elif new:
        old.append({"type": "text", "text": Pieces([new])})
    return old


def _with_entries(old: Any, new: list[Any]) -> Parts:
    parts = old if isinstance(old, Parts) else Parts()
    if isinstance(old, Pieces) and any(old):
        parts.append({"type": "text", "text": old})
    parts.extend(new)
    return parts
