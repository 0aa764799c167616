"""One pass over the store: exchanges -> facts, in a scratch database on the disk.

Bodies go by in batches; what stays in memory does not grow with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from distill.dataset.chat import Exchange, Fits
from distill.dataset.facts import FACTS, facts_of, table_of
from distill.dataset.tools import ToolBook
from distill.labels.newest import NEWEST

BATCH_ROWS = 2_000
MEMORY = "1500MB"
"""What DuckDB may hold before it writes to the disk; Python, Arrow and numpy come on top."""
SCRATCH = "scratch"

_COLUMNS = ", ".join(f"exchanges.{name}" for name in Exchange._fields[:-1])
_EXCHANGES = f"""
    select {_COLUMNS}, label.message from exchanges semi join {SCRATCH}.selected using (id)
    left join {NEWEST} as label on label.exchange_id = exchanges.id"""
_TOOLS = f"""
    select tools::varchar, min(time), max(time) from (
        select time, coalesce(json_extract(document, '$.tools'), json_extract(document, '$.functions')) as tools
        from (select case when json_valid(request) then request end as document, time
              from exchanges semi join {SCRATCH}.selected using (id)
              where contains(request, '"tools"') or contains(request, '"functions"'))
    ) where tools is not null group by tools"""


def prepare(store: duckdb.DuckDBPyConnection, folder: Path, selected: tuple[str, list[Any]]) -> None:
    """Give the connection room on the disk, and a scratch database in ``folder`` that knows what is selected.

    ``selected`` is SQL over the columns of ``exchanges``, and its values.
    """
    store.execute(f"set memory_limit = '{MEMORY}'")
    store.execute("set preserve_insertion_order = false")
    store.execute("set temp_directory = ?", [str(folder / "spill")])
    store.execute(f"attach '{str(folder / 'scratch.duckdb').replace(chr(39), chr(39) * 2)}' as {SCRATCH}")
    condition, values = selected
    store.execute(f"create table {SCRATCH}.selected as select id from exchanges where {condition}", values)


def tool_book(store: duckdb.DuckDBPyConnection) -> ToolBook:
    """The tools that these exchanges had on offer, with the time of each definition."""
    with store.cursor() as reading:
        return ToolBook(_rows(reading.execute(_TOOLS)))


def gather(
    store: duckdb.DuckDBPyConnection,
    book: ToolBook,
    *,
    fits: Fits | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Fill ``scratch.facts``; returns how many exchanges there are."""
    store.register("found_facts", FACTS.empty_table())
    store.execute(f"create table {SCRATCH}.facts as select * from found_facts")
    done = 0
    for batch in batches(store, _EXCHANGES):
        columns = [batch.column(index).to_pylist() for index in range(batch.num_columns)]
        exchanges = (Exchange(*row) for row in zip(*columns, strict=True))
        facts = list(facts_of(exchanges, book, first_row=done, fits=fits))
        if facts:
            store.register("found_facts", table_of(facts))
            store.execute(f"insert into {SCRATCH}.facts select * from found_facts")
        done += len(facts)
        progress(done)
    store.unregister("found_facts")
    return done


def batches(store: duckdb.DuckDBPyConnection, query: str, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """What a query gives, piece by piece; a query without values, since DuckDB holds the whole answer to one with."""
    with store.cursor() as reading:  # its own, so that others can work while it goes on
        reading.execute("set TimeZone = 'UTC'")
        yield from reading.sql(query).to_arrow_reader(rows) or ()


def _rows(answer: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, datetime, datetime]]:
    while rows := answer.fetchmany(BATCH_ROWS):
        yield from rows
