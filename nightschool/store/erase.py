"""Erasure: exchanges that must not be kept leave every file of the store, with all that was said about them.

    find (in segments and logs) -> rewrite each segment that holds one -> publish

A row in a log can be erased once the log is absorbed. Files in quarantine are not searched, nor are those that cannot
be read: ``unreadable`` names them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from nightschool.errors import StoreBusy
from nightschool.store.manifest import Segment, TableName, read_manifest
from nightschool.store.query import QueryFailed, ask, may_be_damage, set_damaged_aside
from nightschool.store.reader import parquet, tail_fault
from nightschool.store.rewrite import rewrite
from nightschool.store.schema import ABOUT_EXCHANGES, KEYS
from nightschool.store.unsealed import read_unsealed

_ATTEMPTS = 10


def find(folder: Path, condition: str, values: Sequence[Any]) -> set[str]:
    """Ids of the exchanges that match an SQL condition."""
    query = f"select id from exchanges where {condition}"
    return {identity for (identity,) in ask(folder, lambda store: store.execute(query, values).fetchall())}


def unreadable(folder: Path) -> list[Path]:
    """Files of the store that are missing or cut: nothing is found or erased in them, and they stay where they are."""
    manifest = read_manifest(folder)
    named = [folder / segment.path for name in ABOUT_EXCHANGES for segment in _faulty(folder, manifest.segments(name))]
    return sorted(named)


def erase(folder: Path, ids: Collection[str]) -> set[str]:
    """Remove these exchanges, with all feedback, labels and verdicts about them, from the segments.

    Returns those that remain, because they are in logs that have not been absorbed yet. The replaced files leave the
    disk with the next ``sweep`` after its grace. What cannot be read is left out, or set aside if it is damaged within.
    """
    unsealed = read_unsealed(
        folder, read_manifest(folder).absorbed
    )  # first: what is absorbed after it, is searched below
    for name in ABOUT_EXCHANGES:
        _erase_from_table(folder, name, pa.array(sorted(ids), pa.string()))
    waiting = (unsealed.tables[name].column(KEYS[name]) for name in ABOUT_EXCHANGES)
    return {key.as_py() for column in waiting for key in column} & set(ids)


def _erase_from_table(folder: Path, name: TableName, ids: pa.Array[pa.StringScalar]) -> None:
    for _ in range(_ATTEMPTS):  # a merge that is going on may bring a row back in a new file
        held = _holding(folder, name, ids)
        if not held:
            return
        for segment in held:
            rewrite(folder, name, segment, lambda rows: _without(rows, KEYS[name], ids))
    raise StoreBusy(f"{folder} changes faster than it can be rewritten", remedy="run the command again")


def _holding(folder: Path, name: TableName, ids: pa.Array[pa.StringScalar]) -> list[Segment]:
    """Segments in which one of the ids is."""
    there = read_manifest(folder).segments(name)
    faulty = _faulty(folder, there)
    segments = {str(folder / segment.path): segment for segment in there if segment not in faulty}
    if not segments:
        return []
    query = f"""
        select distinct filename from {parquet(map(Path, segments), options=", filename = true")}
        where {KEYS[name]} in (select id from doomed)"""
    try:
        with duckdb.connect() as connection:
            connection.execute("set enable_progress_bar = false")
            connection.register("doomed", pa.table({"id": ids}))
            return [segments[path] for (path,) in connection.execute(query).fetchall()]
    except duckdb.Error as error:
        if not (may_be_damage(error) and set_damaged_aside(folder, name, segments.values())):
            raise QueryFailed(error) from error
    return _holding(folder, name, ids)  # it holds fewer files now


def _faulty(folder: Path, segments: Sequence[Segment]) -> set[Segment]:
    return {segment for segment in segments if tail_fault(folder / segment.path, segment)}


def _without(rows: pa.Table, key: str, ids: pa.Array[pa.StringScalar]) -> pa.Table:
    return rows.filter(pc.invert(pc.is_in(rows.column(key), value_set=ids)))
