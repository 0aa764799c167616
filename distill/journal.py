"""Lines of JSON that survive ``kill -9``: one ``write()`` each, appended as they come.

What was written is there, whatever happens to the process afterwards. A line that was cut off is removed when the file
is opened again. One process writes at a time; whoever opens it holds the lock of the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from nightschool.store.durable import make_folder, open_private

_Line = TypeVar("_Line")


class Journal:
    """A file of lines, to append to, to read from the beginning, and to read at a place."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._descriptor = open_private(path, os.O_RDWR | os.O_CLOEXEC)
        self._path = path
        self._end = _end_of_lines(path)
        os.ftruncate(self._descriptor, self._end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def append(self, line: bytes) -> int:
        """Add a line, which has no line end in it; returns its place."""
        place = self._end
        rest = memoryview(line + b"\n")
        while rest:
            written = os.pwrite(self._descriptor, rest, self._end)
            self._end += written
            rest = rest[written:]
        return place

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Place and text of every line, oldest first."""
        place = 0
        with self._path.open("rb") as file:
            for line in file:
                yield place, line.rstrip(b"\n")
                place += len(line)

    def at(self, place: int) -> bytes:
        """The line at a place."""
        with self._path.open("rb") as file:
            file.seek(place)
            return file.readline().rstrip(b"\n")

    def clear(self) -> None:
        """Forget all lines: they are kept somewhere else now."""
        os.ftruncate(self._descriptor, 0)
        self._end = 0


def read_lines(path: Path, kind: type[_Line]) -> list[_Line]:
    """What was written, oldest first; none where there is no file. A line that cannot be read is left out."""
    return [line for _, line in read_placed(path, kind)]


def read_placed(path: Path, kind: type[_Line], start: int = 0) -> list[tuple[int, _Line]]:
    """The same from a place on, each with its own place."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            lines = file.read().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    places = accumulate(map(len, lines), initial=start)
    return [(place, found) for place, line in zip(places, lines, strict=False) for found in decoded([line], kind)]


def decoded(lines: Iterable[bytes], kind: type[_Line]) -> list[_Line]:
    """Those of the lines that can be read."""
    found = []
    for line in lines:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            found.append(msgspec.json.decode(line, type=kind))
    return found


def _end_of_lines(path: Path) -> int:
    """Where the last whole line ends."""
    end = 0
    with path.open("rb") as file:
        for line in file:
            end += len(line) if line.endswith(b"\n") else 0
    return end
