"""Rows that no log holds (labels, splits) -> one table of the store, all of them or none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from nightschool.store.manifest import TableName, prepare_folder, publish
from nightschool.store.segment import seal
from nightschool.store.sweep import discard


def append(folder: Path, name: TableName, rows: pa.Table) -> None:
    """Add the rows, in any order; a reader sees all of them or none, wherever this may be killed."""
    prepare_folder(folder)
    segments = seal(folder, name, rows, split="day")
    try:
        publish(folder, lambda manifest: manifest.with_segments(name, segments))
    finally:
        discard(folder, name, segments)
