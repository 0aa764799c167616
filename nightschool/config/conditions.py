"""The keys of `when`: `tag.<key>` and `header.<name>` stand beside the plain ones, and at least one must be there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nightschool.config.headers import CREDENTIALS, TOKEN

_FAMILIES = ("tag", "header")
_KEYS = "model, tool, path, schema, system_prompt, tag.<key>, header.<name>"

WHEN_SCHEMA: dict[str, Any] = {
    "minProperties": 1,
    "patternProperties": {
        "^tag\\..+$": {"type": "string", "minLength": 1, "description": "Glob over the value of that tag."},
        "^header\\..+$": {
            "type": "string",
            "minLength": 1,
            "description": "Glob over the value of that request header; case does not matter in its name.",
        },
    },
}
"""What pydantic cannot derive for the JSON schema."""


def nested(given: Mapping[str, Any]) -> dict[str, Any]:
    """``{"tag.team": "a*"}`` -> ``{"tag": {"team": "a*"}}``; everything else stays."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        family, dot, name = key.partition(".")
        if dot and name and family in _FAMILIES and isinstance(given.get(family, {}), Mapping):
            values[family] = {**values.get(family, given.get(family, {})), name: value}
        else:
            values.setdefault(key, value)
    return values


def condition_faults(given: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    if all(value is None or value == {} for value in given.values()):
        yield (), f"has no condition, so it would match everything; give at least one of {_KEYS}"
    for key in given:
        family, dot, name = key.partition(".")
        inner = given.get(family)
        if dot and family in _FAMILIES and isinstance(inner, Mapping) and name in inner:
            yield (key,), f"is also given as {name!r} below {family!r}; keep one"
    path = given.get("path")
    if isinstance(path, str) and path and path[0] not in "/*?[":
        yield ("path",), f"must begin with '/' or '*' to match a path, but is {path!r}"
    yield from _header_faults(nested(given).get("header"))


def _header_faults(headers: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    seen: set[str] = set()
    for name in headers if isinstance(headers, Mapping) else ():
        if name.lower() in seen:
            yield ("header", name), "is given twice; names of headers do not differ by case"
        seen.add(name.lower())
        if not TOKEN.match(name):
            yield ("header", name), "is not a header name: letters, digits and '-' only"
        elif name.lower() in CREDENTIALS:
            yield (
                ("header", name),
                "is a credential, which never decides about a workload; use another header, or a tag",
            )
