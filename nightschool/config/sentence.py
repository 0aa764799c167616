"""One complaint of pydantic -> one sentence that says what is wrong with the value and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

_LONGEST_VALUE = 60
_NEAR = 0.65  # `conect_s` is near to `connect_s`, `student` is not near to `listen`

_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "string_type": "text (put it in quotes)",
    "path_type": "a path",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
    "literal_error": "one of {expected}",
    "tuple_type": "a list",
    "model_type": "a map of keys and values",
    "dict_type": "a map of keys and values",
    "mapping_type": "a map of keys and values",
}
"""pydantic's kinds of complaints; the names in braces come from the complaint's context."""


def sentence(fault: ErrorDetails, keys: Sequence[str]) -> str:
    """``keys`` are the section's own; the empty sentence means that another fault already says it."""
    kind, given, context = fault["type"], fault["input"], fault.get("ctx", {})
    match kind:
        case "fault":
            return fault["msg"]
        case "default_factory_not_called":
            return ""
        case "extra_forbidden":
            return unknown("key", str(fault["loc"][-1]), keys)
        case "missing":
            return "is missing"
        case "value_error":
            return str(context["error"])
        case "pattern_regex" | "invalid_key":
            return fault["msg"]
        case _:
            wanted = _WANTED.get(kind, f"another value ({kind})").format_map(context)
            return f"must be {wanted}, but is {shown(given)}"


def unknown(what: str, given: str, known: Sequence[str]) -> str:
    """``unknown key; did you mean 'when'?``, or the list of what there is when nothing comes near."""
    near = nearest(given, known)
    if near:
        return f"unknown {what}; did you mean {near!r}?"
    return f"unknown {what}; known here: {', '.join(known) or 'none'}"


def nearest(given: str, known: Iterable[str]) -> str | None:
    """What was probably meant; comparing takes time by the square of the length, so nothing long is compared."""
    near = get_close_matches(given, list(known), n=1, cutoff=_NEAR) if len(given) <= _LONGEST_VALUE else []
    return near[0] if near else None


def shown(given: Any) -> str:
    """A value as a reader of YAML knows it, cut when it is long."""
    if isinstance(given, dict):
        return "a map"
    if isinstance(given, list):
        return "a list"
    if given is None:
        return "empty"
    text = json.dumps(given, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
