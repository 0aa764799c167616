"""The chosen exchanges, read once more -> a file of drafts, by side and then by time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from distill.dataset.chat import Exchange, read_body, read_chat
from distill.dataset.example import DRAFT, draft_of
from distill.dataset.gather import SCRATCH, batches
from distill.dataset.soft import SoftBook
from distill.dataset.tools import ToolBook
from distill.labels.answer import logged_answer
from distill.labels.newest import NEWEST

_SOFT_ROWS = 200
"""Examples at a time where they have log probabilities, which are large."""
_COLUMNS = ", ".join(f"exchanges.{name}" for name in Exchange._fields[:-1])
_QUERY = f"""
    with kept as (select * from {SCRATCH}.chosen where reason is null),
    held as (
        select holder, list({{'position': length, 'id': turns.id}}) as turns
        from {SCRATCH}.held join {SCRATCH}.turns on turns.row = held.row
        where holder in (select row from kept) group by holder
    )
    select {_COLUMNS}, label.message, side, root, multiplicity, newest, held.turns
    from exchanges join kept on kept.id = exchanges.id
    left join held on held.holder = kept.row
    left join {NEWEST} as label on label.exchange_id = exchanges.id
    order by side, kept.time, kept.id"""


def write_drafts(store: duckdb.DuckDBPyConnection, path: Path, book: ToolBook, soft: SoftBook) -> None:
    """One row an example."""
    with pq.ParquetWriter(path, DRAFT, compression="zstd") as file:
        for batch in _pieces(store, soft):
            rows = list(_drafts(batch, book, soft))
            if rows:
                file.write_table(pa.Table.from_pylist(rows, schema=DRAFT))


def read_drafts(path: Path, columns: list[str] | None = None, rows: int = 1_000) -> Iterator[pa.RecordBatch]:
    """In the order in which they were written."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(rows, columns=columns)


def _pieces(store: duckdb.DuckDBPyConnection, soft: SoftBook) -> Iterator[pa.RecordBatch]:
    for batch in batches(store, _QUERY):
        step = _SOFT_ROWS if soft else batch.num_rows
        yield from (batch.slice(begin, step) for begin in range(0, batch.num_rows, step))


def _drafts(batch: pa.RecordBatch, book: ToolBook, soft: SoftBook) -> Iterator[dict[str, Any]]:
    columns = [batch.column(index).to_pylist() for index in range(batch.num_columns)]
    ids = [*columns[0], *(turn["id"] for held in columns[-1] for turn in held or ())]
    logprobs = soft.of(ids)
    for *told, side, root, multiplicity, newest, held in zip(*columns, strict=True):
        exchange = Exchange(*told)
        chat = read_chat(exchange, read_body(exchange.request), logged_answer(exchange.response), book)
        yield draft_of(
            chat,
            identity=exchange.id,
            time=exchange.time,
            side=side,
            root=root,
            multiplicity=multiplicity,
            newest=newest,
            held=held or (),
            logprobs=logprobs,
        )
