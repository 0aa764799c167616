"""What is answered but not yet in a segment: the rows of the logs that the manifest has not absorbed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from nightschool.record import Feedback, Record
from nightschool.store.log import LogReader, LogUnreadable, is_finished, list_logs
from nightschool.store.manifest import TABLES, TableName
from nightschool.store.schema import SCHEMAS, Row, table_of

_CHUNK_ROWS = 5_000


@dataclass
class Unsealed:
    """The rows of some logs, and what kept others from being read."""

    tables: dict[TableName, pa.Table] = field(
        default_factory=lambda: {name: SCHEMAS[name].empty_table() for name in TABLES}
    )
    logs: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)


def read_unsealed(folder: Path, absorbed: Collection[str]) -> Unsealed:
    """Read all logs but the absorbed ones, up to this moment."""
    unsealed = Unsealed()
    skip = set(absorbed)
    paths = [path for path in list_logs(folder) if path.name not in skip]
    rows = (row for path in paths for row in _rows(path, unsealed))
    chunks: dict[TableName, list[pa.Table]] = {name: [table] for name, table in unsealed.tables.items()}
    held: dict[TableName, list[Row]] = {name: [] for name in TABLES}
    for row in rows:
        name: TableName = "exchanges" if isinstance(row, Record) else "feedback"
        held[name].append(row)
        if len(held[name]) >= _CHUNK_ROWS:
            chunks[name].append(table_of(name, held[name]))
            held[name] = []
    unsealed.tables = {name: pa.concat_tables([*chunks[name], table_of(name, held[name])]) for name in TABLES}
    return unsealed


def _rows(path: Path, unsealed: Unsealed) -> Iterator[Record | Feedback]:
    try:
        reader = LogReader(path, finished=is_finished(path))
        yield from reader
        unsealed.logs += 1
        unsealed.bytes += path.stat().st_size
    except FileNotFoundError:
        return  # absorbed and deleted since the folder was listed: then the manifest has changed, too
    except LogUnreadable as error:
        unsealed.problems.append(str(error))
        return
    if reader.damaged:
        unsealed.problems.append(f"{path}: {reader.told_damage()}")
