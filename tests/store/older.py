"""A store as an older version has left it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from msgspec.structs import replace

from nightschool.store.manifest import publish, read_manifest


def make_older(folder: Path) -> None:
    """The segments of exchanges lose what came with version 2, as a file and as the manifest tells of them."""
    older = []
    for segment in read_manifest(folder).segments("exchanges"):
        path = folder / segment.path
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["failed_adapter"]), path)
        older.append(replace(segment, bytes=path.stat().st_size, schema_version=1))
    publish(folder, lambda manifest: manifest.with_table("exchanges", tuple(older)))
