"""Items: the pieces of a file that are read, and refused, one by one.

A file is JSONL (one item a line), a JSON array (one item an element), or a single JSON object.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nightschool.errors import ImportFileError

_BOM = b"\xef\xbb\xbf"
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode


class Unreadable(Exception):
    """An item is not what it should be; the message says why, and continues "line 17"."""


class Item(NamedTuple):
    """One piece of a file."""

    place: str
    """For people: ``line 17``."""
    text: bytes
    value: Any
    """Decoded JSON, or the Unreadable that says why there is none."""
    alone: bool
    """It stood on a line of its own, as calls do; not in an array, as episodes do."""
    end: int
    """Bytes of the file that have been read with it."""


def read_items(path: Path) -> Iterator[Item]:
    """The items of a file, blank lines left out. An array is held in memory, lines are not."""
    try:
        first_lines = [line for _, line, _ in islice(_lines(path), 2)]
        if len(first_lines) == 2 and not isinstance(_value(first_lines[0]), Unreadable):
            return _from_lines(path)
        return _from_document(path)
    except OSError as error:
        raise ImportFileError(f"{path} cannot be read: {error.strerror}", remedy="check its name and rights") from error


def _from_lines(path: Path) -> Iterator[Item]:
    for number, line, end in _lines(path):
        yield Item(f"line {number}", line, _value(line), alone=True, end=end)


def _from_document(path: Path) -> Iterator[Item]:
    text = path.read_bytes().removeprefix(_BOM)
    whole = _value(text)
    if not text.lstrip().startswith(b"["):
        return _from_lines(path) if isinstance(whole, Unreadable) else iter([Item("it", text, whole, True, len(text))])
    if isinstance(whole, Unreadable):
        raise ImportFileError(f"{path} {whole}", remedy="an array must be whole; write one item a line (JSONL) instead")
    if whole and all(isinstance(element, dict) and "role" in element for element in whole):
        return iter([Item("it", text, whole, False, len(text))])
    del whole
    return _from_array(text)


def _from_array(text: bytes) -> Iterator[Item]:
    elements = _decode_array(text)
    for index, raw in enumerate(elements):
        element = bytes(raw)
        end = len(text) * (index + 1) // len(elements)
        yield Item(f"element {index}", element, _value(element), alone=False, end=end)


def _lines(path: Path) -> Iterator[tuple[int, bytes, int]]:
    """Number, text and end of each line that is not blank."""
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            end += len(line)
            text = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
            if text:
                yield number, text, end


def _value(text: bytes) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(f"is not JSON: {error}")
