"""The log probabilities of the chosen answers, shortened, in the scratch database until they are written.

Apart from the other columns: they are larger than all of those together, and neither sorting nor joining needs them.
"""

from __future__ import annotations

from collections.abc import Collection

import duckdb
import pyarrow as pa

from distill.dataset.gather import SCRATCH, batches
from distill.dataset.logprobs import compact

_BATCH_ROWS = 100
_WANTED = f"""
    create table {SCRATCH}.softly as
    with kept as (select row, side from {SCRATCH}.chosen where reason is null),
    learned as (
        select row, side from kept
        union all
        select held.row, side from {SCRATCH}.held join kept on kept.row = held.holder
    )
    select id, side from {SCRATCH}.facts join learned using (row) where not labelled"""
"""Answers to learn that are the teacher's own."""
_FOUND = f"""
    select exchanges.id, exchanges.logprobs from exchanges semi join {SCRATCH}.softly using (id)
    where exchanges.logprobs is not null"""
_SCHEMA = pa.schema([pa.field("id", pa.string()), pa.field("logprobs", pa.string())])


class SoftBook:
    """Looked up by the id of an exchange; empty, it costs nothing."""

    def __init__(self, store: duckdb.DuckDBPyConnection) -> None:
        self._store = store
        self.answers = _gather(store)
        """How many answers to learn have any."""

    def by_side(self) -> dict[str, int]:
        """The number of those answers on each side that has any."""
        query = f"select side, count(*) from {SCRATCH}.softly semi join {SCRATCH}.soft using (id) group by side"
        return dict(self._store.execute(query).fetchall())

    def of(self, ids: Collection[str]) -> dict[str, str]:
        """Those of some exchanges; one that has none is not in the answer."""
        if not self.answers:
            return {}
        with self._store.cursor() as reading:
            found = reading.execute(
                f"select id, logprobs from {SCRATCH}.soft semi join (select unnest(?) as id) using (id)", [list(ids)]
            )
            return dict(found.fetchall())


def _gather(store: duckdb.DuckDBPyConnection) -> int:
    store.execute(_WANTED)
    store.execute(f"create table {SCRATCH}.soft (id varchar, logprobs varchar)")
    answers = 0
    for batch in batches(store, _FOUND, _BATCH_ROWS):
        ids, recorded = (batch.column(index).to_pylist() for index in (0, 1))
        found = [
            (identity, kept) for identity, text in zip(ids, recorded, strict=True) if (kept := compact(text or ""))
        ]
        if found:
            columns = [pa.array(column, pa.string()) for column in zip(*found, strict=True)]
            store.register("found_soft", pa.Table.from_arrays(columns, schema=_SCHEMA))
            store.execute(f"insert into {SCRATCH}.soft select * from found_soft")
            store.unregister("found_soft")
            answers += len(found)
    return answers
