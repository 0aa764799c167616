"""The log probabilities of the chosen answers, shortened, in a file of their own until they are written.

Apart from the other columns: they are larger than all of those together, and neither sorting nor joining needs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from distill.dataset.gather import SCRATCH, batches
from distill.dataset.logprobs import compact

_BATCH_ROWS = 100
_LEARNED = f"""
    with kept as (select row, side from {SCRATCH}.chosen where reason is null),
    learned as (
        select row, side from kept
        union all
        select held.row, side from {SCRATCH}.held join kept on kept.row = held.holder
    )
    select id, side from {SCRATCH}.facts join learned using (row) where not labelled"""
"""Answers to learn that are the teacher's own."""
_RECORDED = "select id, logprobs from exchanges where logprobs is not null"
"""Of all of them: a join would hold the larger side, which DuckDB takes for the smaller one, in memory."""


class SoftBook:
    """Looked up by the id of an exchange; where nothing is recorded, it costs nothing."""

    def __init__(self, store: duckdb.DuckDBPyConnection, file: Path) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        self.by_side: Counter[str] = Counter()
        """How many answers to learn have any."""
        self._gather(store)

    def __bool__(self) -> bool:
        return bool(self._places)

    def of(self, ids: Collection[str]) -> dict[str, str]:
        """Those of some exchanges; one that has none is not in the answer."""
        wanted = {identity: self._places[identity] for identity in ids if identity in self._places}
        if not wanted:
            return {}
        found = {}
        with self._file.open("rb") as file:
            for identity, (begin, length) in wanted.items():
                file.seek(begin)
                found[identity] = file.read(length).decode()
        return found

    def _gather(self, store: duckdb.DuckDBPyConnection) -> None:
        sides: Mapping[str, str] | None = None
        with self._file.open("wb") as file:
            for batch in batches(store, _RECORDED, _BATCH_ROWS):
                sides = dict(store.execute(_LEARNED).fetchall()) if sides is None else sides
                for identity, kept in _compacted(batch, sides):
                    self._places[identity] = (file.tell(), file.write(kept.encode()))
                    self.by_side[sides[identity]] += 1


def _compacted(batch: pa.RecordBatch, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    ids: list[str] = [str(identity) for identity in batch.column(0).to_pylist()]
    recorded = batch.column(1)
    for place, identity in enumerate(ids):
        if identity in wanted and (kept := compact(recorded[place].as_py())):
            yield identity, kept
