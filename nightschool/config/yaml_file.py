"""A YAML file -> plain values, with the line of every key.

The YAML is that of version 1.2's core schema: only ``true`` and ``false`` are booleans; ``no``, ``on``, ``off`` and
``2026-05-01`` stay the text that was written. Tags are refused, a key may stand once, and no depth, size or alias makes
a small file expensive: a bad file must never take a running proxy down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nightschool.config.faults import Fault, InvalidConfig, KeyPath, dotted
from nightschool.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 10_000
"""After aliases have been replaced by what they stand for."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INT = re.compile(r"[-+]?[0-9]{1,100}|0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_WORDS = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    ".nan": math.nan,
    ".NaN": math.nan,
    ".NAN": math.nan,
}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_BASES = {"0o": 8, "0x": 16}


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place; an entry of a map has the place of its key."""

    value: str | int | float | bool | tuple[Node, ...] | Mapping[str, Node] | None
    line: int
    size: int = 1
    """Values in it, itself included, after aliases have been replaced."""

    def plain(self) -> Any:
        """The same as dicts, lists and scalars."""
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value

    def at(self, key: KeyPath) -> Node | None:
        """What stands there; ``("tag", "team")`` also finds the key ``tag.team``."""
        if not key:
            return self
        head, rest = key[0], key[1:]
        if isinstance(self.value, tuple):
            return self.value[head].at(rest) if isinstance(head, int) and head < len(self.value) else None
        if not isinstance(self.value, Mapping):
            return None
        if head not in self.value and rest:
            head, rest = f"{head}.{rest[0]}", rest[1:]
        child = self.value.get(str(head))
        return child.at(rest) if child else None

    def line_of(self, key: KeyPath) -> int:
        """The line of ``key``, or of the nearest thing around it when it is not there."""
        return next(node.line for end in range(len(key), -1, -1) if (node := self.at(key[:end])))


def read_content(file: Path) -> bytes:
    """Raises ConfigError where there is no such file, or it is far too large."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read: {error.strerror}",
            remedy="`nightschool init` writes a first one; --config FILE names another",
        ) from error
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file} is larger than {MAX_BYTES} bytes", remedy="name the right file with --config")
    return content


def read_yaml(file: Path, content: bytes | None = None) -> tuple[Node, list[Fault]]:
    """Everything in the file, and what is wrong with single keys; InvalidConfig says where it stops being YAML.

    ``content``: as if the file held that.
    """
    content = read_content(file) if content is None else content
    composer = _Composer(_text(file, content), file)
    return composer.document(), composer.faults


def scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text[2:], _BASES[text[:2]]) if text[:2] in _BASES else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return -math.inf if text.startswith("-") else math.inf
    return text


def _text(file: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidConfig(file, [Fault(line, "", "is not UTF-8; save the file as UTF-8")]) from error
    if odd := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, odd.start()) + 1
        raise InvalidConfig(file, [Fault(line, "", f"holds the control character {odd[0]!r}; remove it")])
    return text


class _Composer:
    """Builds nodes from the parser's events; PyYAML's own composer drops one of two equal keys and has no bounds."""

    def __init__(self, text: str, file: Path) -> None:
        self.faults: list[Fault] = []
        self._lines = text.split("\n")
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
        self._file = file
        self._anchors: dict[str, Node | None] = {}
        """None while the anchor's own value is being read."""
        self._values = 0

    def document(self) -> Node:
        root = Node(None, 1)
        documents = 0
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        raise self._stop(event, "begins a second document; only one fits in the file")
                elif isinstance(event, yaml.NodeEvent):
                    root = self._node(event, ())
        except yaml.YAMLError as error:
            raise self._syntax(error) from error
        return root

    def _node(self, event: yaml.Event, key: KeyPath) -> Node:
        if len(key) > MAX_DEPTH:
            raise self._stop(event, f"is nested more than {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._refuse_tag(event, key)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._map(event, key)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(event, key)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            node = Node(scalar(event.value) if event.implicit[0] else event.value, _place(event)[0])
        self._values += 1
        if max(self._values, node.size) > MAX_VALUES:
            raise self._stop(event, f"makes more than {MAX_VALUES} values, with aliases replaced")
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _map(self, start: yaml.Event, key: KeyPath) -> Node:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._stop(event, "is not a key: keys are plain text (quote a text that begins with { [ * or &)")
            name, line = event.value, _place(event)[0]
            if name == "<<" and event.implicit[0]:
                raise self._stop(event, "is a merge key, which YAML 1.2 does not have; write the keys out")
            node = self._node(next(self._events), (*key, name))
            if name in entries:
                message = f"stands twice, on lines {entries[name].line} and {line}; keep one"
                self.faults.append(Fault(line, dotted((*key, name)), message))
            entries[name] = Node(node.value, line, node.size)
        return Node(entries, _place(start)[0], 1 + sum(node.size for node in entries.values()))

    def _list(self, start: yaml.Event, key: KeyPath) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, (*key, len(items))))
        return Node(tuple(items), _place(start)[0], 1 + sum(node.size for node in items))

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            raise self._stop(
                event,
                f"*{event.anchor} refers to an anchor that is not defined before it (quote a text with *)",
            )
        node = self._anchors[event.anchor]
        if node is None:
            raise self._stop(event, f"*{event.anchor} stands inside of what it refers to")
        return node

    def _refuse_tag(self, event: yaml.NodeEvent, key: KeyPath) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            message = f"has the tag {tag!r}; tags are not used here (quote a text that begins with !)"
            self.faults.append(Fault(_place(event)[0], dotted(key), message))

    def _stop(self, event: yaml.Event, message: str) -> InvalidConfig:
        return self._broken(*_place(event), message)

    def _broken(self, line: int | None, column: int | None, message: str) -> InvalidConfig:
        return InvalidConfig(self._file, [*self.faults, Fault(line, "", message, column)])

    def _syntax(self, error: yaml.YAMLError) -> InvalidConfig:
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            return self._broken(None, None, f"is not YAML: {error}")
        line = self._lines[mark.line] if mark.line < len(self._lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return self._broken(mark.line + 1, 1, "a tab in the indentation; YAML wants spaces")
        said = [getattr(error, "context", None), getattr(error, "problem", None)]
        if any(part and "nesting depth" in part for part in said):  # PyYAML looks ahead, and stops before we do
            return self._broken(mark.line + 1, mark.column + 1, f"is nested more than {MAX_DEPTH} deep")
        return self._broken(mark.line + 1, mark.column + 1, f"is not YAML: {', '.join(filter(None, said))}")


def _place(event: yaml.Event) -> tuple[int, int]:
    """Line and column, from 1."""
    assert event.start_mark is not None  # only events made by hand have none
    return event.start_mark.line + 1, event.start_mark.column + 1
