"""Where the spans are in an answer: which list, which field is the value, which the type.

What the configuration does not say is recognised by the names of the fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

VALUE_NAMES = ("value", "string", "text", "span", "entity_value", "entity", "quote", "content", "word", "name")
"""The first of these that there is; else the first field with a text that is not the type."""
_TYPE_NAME = re.compile(r"(.*_)?(type|label|category|class|kind|tag)", re.IGNORECASE)
_MOST_DEEP = 20


class SpanFields(msgspec.Struct, frozen=True):
    """Names of fields; None for what is to be recognised."""

    list: str | None = None
    """The list of spans, at any depth; None for every list of objects with texts in them."""
    value: str | None = None
    type: str | None = None


def recognised(fields: SpanFields, documents: Iterable[Any]) -> SpanFields | None:
    """The fields with their names, as the first span shows them; None where there is no span."""
    first = next((inner for document in documents for inner in objects_in(document, fields)), None)
    if first is None:
        return None
    texts = [name for name, value in first.items() if isinstance(value, str)]
    kind = fields.type or next((name for name in texts if _TYPE_NAME.fullmatch(name) and name != fields.value), None)
    others = [name for name in texts if name != kind]
    named = {name.lower(): name for name in reversed(others)}
    value = fields.value or next((named[name] for name in VALUE_NAMES if name in named), None)
    return SpanFields(list=fields.list, value=value or next(iter(others), None), type=kind)


def objects_in(document: Any, fields: SpanFields) -> Iterator[dict[str, Any]]:
    """Every object that stands for a span."""
    for name, values in _lists(document, "", _MOST_DEEP):
        if fields.list is not None and name != fields.list:
            continue
        yield from (inner for inner in values if isinstance(inner, dict) and _has_text(inner))


def _has_text(inner: dict[str, Any]) -> bool:
    return any(isinstance(value, str) for value in inner.values())


def _lists(document: Any, name: str, depth: int) -> Iterator[tuple[str, list[Any]]]:
    """Lists with the names they have; a list inside of a list has its name."""
    if not depth:
        return
    if isinstance(document, list):
        yield name, document
        for inner in document:
            yield from _lists(inner, name, depth - 1)
    elif isinstance(document, dict):
        for key, inner in document.items():
            yield from _lists(inner, key, depth - 1)
