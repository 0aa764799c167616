"""The exchanges that a selection means, as SQL: those recorded under its name, and those of groups without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from distill.selection import Selection, UnknownWorkload
from distill.workloads.mine import is_group_id
from distill.workloads.place import members


def condition_of(store: duckdb.DuckDBPyConnection, folder: Path, selection: Selection) -> tuple[str, list[Any]]:
    """SQL over the columns of ``exchanges``, and its values; it holds in this connection only.

    A name under which nothing is recorded may be the id of a group. Raises ``UnknownWorkload`` where the selection
    tells of a group that there is not.
    """
    condition, values = selection.condition()
    if selection.where is not None or selection.fingerprint is not None:
        return condition, values
    if selection.recorded_as:
        in_groups, more = members(store, folder, selection.recorded_as, selection.window)
        return f"(({condition}) or ({in_groups}))", [*values, *more]
    if store.execute(f"select 1 from exchanges where {condition} limit 1", values).fetchall():
        return condition, values
    if not is_group_id(selection.workload):
        return condition, values
    try:
        return members(store, folder, (selection.workload,), selection.window)
    except UnknownWorkload:
        return condition, values
