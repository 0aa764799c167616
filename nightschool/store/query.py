"""Questions to the store: asked of a snapshot, and asked again without the files that turn out to be damaged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import duckdb

from nightschool.errors import StoreError
from nightschool.store.manifest import TABLES
from nightschool.store.merge import SegmentDamaged, read_groups
from nightschool.store.quarantine import set_aside
from nightschool.store.reader import EVERYTHING, Snapshot, Window, connect, take_snapshot

Answer = TypeVar("Answer")

_OWN_FAULTS = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException)
"""What is wrong with the question, whatever the files hold."""


class QueryFailed(StoreError):
    """The engine refused a question."""

    def __init__(self, error: duckdb.Error) -> None:
        super().__init__(str(error).strip(), remedy='`nightschool sql "describe exchanges"` lists the columns')


def ask(folder: Path, question: Callable[[duckdb.DuckDBPyConnection], Answer], window: Window = EVERYTHING) -> Answer:
    """The answer from the store as it is now. ``question`` may be asked twice, and must fetch all that it wants.

    DuckDB's errors become QueryFailed. A damaged segment that it stumbles over is set aside, and named in the log.
    """
    try:
        return _ask(take_snapshot(folder), question, window)
    except _OWN_FAULTS as error:
        raise QueryFailed(error) from error
    except duckdb.Error as error:
        if not _set_damaged_aside(take_snapshot(folder), window):
            raise QueryFailed(error) from error
    try:
        return _ask(take_snapshot(folder), question, window)
    except duckdb.Error as error:
        raise QueryFailed(error) from error


def _ask(snapshot: Snapshot, question: Callable[[duckdb.DuckDBPyConnection], Answer], window: Window) -> Answer:
    with closing(connect(snapshot, window)) as connection:
        return question(connection)


def _set_damaged_aside(snapshot: Snapshot, window: Window) -> bool:
    """Read every file against its checksums; true if that found one that is damaged."""
    found = False
    for name in TABLES:
        for segment in snapshot.segments(name, window):
            try:
                for _ in read_groups(snapshot.folder, name, segment):
                    pass
            except SegmentDamaged as error:
                set_aside(snapshot.folder, name, segment, error.cause)
                found = True
    return found
