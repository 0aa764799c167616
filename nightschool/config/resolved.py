"""The configuration in force as YAML that can be read again: with defaults, absolute paths, and secrets as ``${NAME}``.

What is shown of a secret is what the file says of it, so that no value can slip through a mask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from nightschool.config.faults import KeyPath, dotted
from nightschool.config.load import Loaded
from nightschool.config.models import Config, Upstream
from nightschool.config.section import Section
from nightschool.config.yaml_file import Node, scalar

_PLAIN = re.compile(r"[A-Za-z0-9_./$]([A-Za-z0-9_./:@+${}*-]*[A-Za-z0-9_./@+}*-])?")


def resolved(loaded: Loaded) -> dict[str, Any]:
    """The configuration as plain values; what is not set is left out."""
    values = _plain(_completed(loaded.config), (), loaded.document)
    assert isinstance(values, dict)
    return values


def origins(loaded: Loaded) -> dict[str, int]:
    """Dotted key -> line, for every value that the file gives; all others are defaults."""
    leaves = (key for key, _ in _leaves(resolved(loaded), ()))
    return {dotted(key): loaded.document.line_of(key) for key in leaves if loaded.document.at(key)}


def resolved_yaml(loaded: Loaded) -> str:
    """The same as YAML, with the line behind every value that the file gives."""
    head = f"# {loaded.file}, resolved; a value without a line number is the default"
    return "\n".join([head, *_lines(resolved(loaded), (), loaded.document)]) + "\n"


def _completed(config: Config) -> Config:
    """With the waiting times of each upstream as they apply."""
    upstreams = {
        name: upstream.model_copy(update={"timeouts": config.timeouts_of(name)}) if upstream.timeouts else upstream
        for name, upstream in config.upstreams.items()
    }
    return config.model_copy(update={"upstreams": upstreams})


def _plain(value: Any, key: KeyPath, document: Node) -> Any:
    if isinstance(value, Section):
        fields = {field.alias or name: getattr(value, name) for name, field in type(value).model_fields.items()}
        if isinstance(value, Upstream):
            fields["headers"] = {name: _written((*key, "headers", name), document) for name in value.headers}
        value = fields
    if isinstance(value, Mapping):
        return {name: _plain(inner, (*key, name), document) for name, inner in value.items() if inner is not None}
    if isinstance(value, tuple):
        return [_plain(inner, (*key, index), document) for index, inner in enumerate(value)]
    if isinstance(value, SecretStr):
        return _written(key, document)
    if isinstance(value, re.Pattern):
        return value.pattern
    return str(value) if isinstance(value, Path) else value


def _written(key: KeyPath, document: Node) -> Any:
    node = document.at(key)
    return node.value if node else "**********"


def _leaves(value: Any, key: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(value, dict | list) and value:
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(inner, (*key, name))
    else:
        yield key, value


def _lines(values: Mapping[str, Any], key: KeyPath, document: Node) -> Iterator[str]:
    for name, value in values.items():
        here = (*key, name)
        if isinstance(value, dict) and value:
            yield f"{_text(name)}:"
            yield from (f"  {line}" for line in _lines(value, here, document))
        elif isinstance(value, list) and value:
            yield f"{_text(name)}:"
            for index, inner in enumerate(value):
                first, *rest = _entry(inner, (*here, index), document)
                yield f"  - {first}"
                yield from (f"    {line}" for line in rest)
        else:
            yield f"{_text(name)}: {_leaf(value, here, document)}"


def _entry(value: Any, key: KeyPath, document: Node) -> Iterator[str]:
    """The lines of a list's entry: a map, or a scalar."""
    if isinstance(value, dict):
        yield from _lines(value, key, document)
    else:
        yield _leaf(value, key, document)


def _leaf(value: Any, key: KeyPath, document: Node) -> str:
    return _text(value) + (f"  # line {document.line_of(key)}" if document.at(key) else "")


def _text(value: Any) -> str:
    """One scalar (or empty collection) so that it is read back as the same."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and _PLAIN.fullmatch(value) and scalar(value) == value:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
