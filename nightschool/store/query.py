"""Questions to the store: asked of a snapshot, and asked again where it grew too old, or without damaged files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import duckdb

from nightschool.errors import StoreError
from nightschool.store.manifest import TABLES, Segment, TableName, read_manifest
from nightschool.store.merge import SegmentDamaged, read_groups
from nightschool.store.quarantine import set_aside
from nightschool.store.reader import EVERYTHING, Snapshot, Window, connect, take_snapshot

Answer = TypeVar("Answer")

_ATTEMPTS = 3
"""A snapshot that grew too old, one with a damaged file, and one with neither."""
_OF_FILES = (
    duckdb.IOException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.SerializationException,
    duckdb.NotImplementedException,
)
_NAMES_A_FILE = re.compile(r"file|parquet|unicode", re.IGNORECASE)


class QueryFailed(StoreError):
    """The engine refused a question."""

    def __init__(self, error: duckdb.Error) -> None:
        super().__init__(str(error).strip(), remedy='`nightschool sql "describe exchanges"` lists the columns')


def ask(folder: Path, question: Callable[[duckdb.DuckDBPyConnection], Answer], window: Window = EVERYTHING) -> Answer:
    """The answer from the store as it is now. ``question`` may be asked again, and must fetch all that it wants.

    DuckDB's errors become QueryFailed. A damaged segment that it stumbles over is set aside, and named in the log. What
    takes so long that files of its snapshot are merged and swept meanwhile begins anew with those that replace them.
    """
    attempt = 0
    while True:
        attempt += 1
        snapshot = take_snapshot(folder)
        try:
            return _ask(snapshot, question, window)
        except duckdb.Error as error:
            if attempt == _ATTEMPTS or not may_be_damage(error):
                raise QueryFailed(error) from error
            if not (_is_outdated(snapshot, window) or _set_all_damaged_aside(take_snapshot(folder), window)):
                raise QueryFailed(error) from error


def _ask(snapshot: Snapshot, question: Callable[[duckdb.DuckDBPyConnection], Answer], window: Window) -> Answer:
    with closing(connect(snapshot, window)) as connection:
        try:
            return question(connection)
        except RuntimeError as error:
            if str(error) == "Query interrupted":  # what DuckDB makes of Ctrl-C
                raise KeyboardInterrupt from error
            raise


def may_be_damage(error: duckdb.Error) -> bool:
    """Whether a file may be the cause, and not the question or the memory that there is for it.

    Of bytes that make no sense the engine tells in errors of no kind, or as invalid input, which questions give it too.
    """
    if type(error) is duckdb.Error or isinstance(error, _OF_FILES):
        return True
    return isinstance(error, duckdb.InvalidInputException) and _NAMES_A_FILE.search(str(error)) is not None


def set_damaged_aside(folder: Path, name: TableName, segments: Iterable[Segment]) -> bool:
    """Read these files against their checksums; true if that found one that is damaged."""
    found = False
    for segment in segments:
        try:
            for _ in read_groups(folder, name, segment):
                pass
        except SegmentDamaged as error:
            set_aside(folder, name, segment, error.cause)
            found = True
    return found


def _is_outdated(snapshot: Snapshot, window: Window) -> bool:
    """Whether files that it names are gone, and rightly so."""
    now = read_manifest(snapshot.folder)
    for name in TABLES:
        named = {segment.path for segment in now.segments(name)}
        for segment in snapshot.segments(name, window):
            if segment.path not in named and not (snapshot.folder / segment.path).exists():
                return True
    return False


def _set_all_damaged_aside(snapshot: Snapshot, window: Window) -> bool:
    return any([set_damaged_aside(snapshot.folder, name, snapshot.segments(name, window)) for name in TABLES])
