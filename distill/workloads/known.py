"""The templates that have an id, kept in the data folder, so that a template that widens keeps its id.

The file holds digests of words, no text: what is erased from the store has left nothing here that could be read. If it
is lost, ids are made anew from the prompts; most are the same again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from distill.workloads.mine import Known
from nightschool.errors import StoreError
from nightschool.store.durable import new_file
from nightschool.store.lock import lock

NAME = "workloads.json"
FORMAT_VERSION = 1


class _File(msgspec.Struct, frozen=True):
    templates: tuple[Known, ...]
    format_version: int = FORMAT_VERSION


def read_known(folder: Path) -> tuple[Known, ...]:
    """Oldest first; none where nobody has looked yet."""
    path = folder / NAME
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return ()
    except msgspec.DecodeError as error:
        raise StoreError(
            f"{path} is damaged: {error}", remedy="remove it; ids are made anew from the prompts"
        ) from error
    if file.format_version > FORMAT_VERSION:
        raise StoreError(
            f"{path} has version {file.format_version}, and this nightschool knows {FORMAT_VERSION}",
            remedy="use the nightschool that wrote it, or a newer one",
        )
    return file.templates


def write_known(folder: Path, templates: Sequence[Known]) -> None:
    """Replace the file, wholly or not at all."""
    with new_file(folder / NAME) as file:
        file.write(msgspec.json.encode(_File(tuple(templates))))


@contextmanager
def holding(folder: Path) -> Iterator[bool]:
    """Only one process names templates at a time. Yields False where the folder can only be read, and nothing kept."""
    if not os.access(folder, os.W_OK):
        yield False
        return
    with lock(folder / "workloads.lock"):
        yield True
