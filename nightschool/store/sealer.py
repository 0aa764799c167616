"""Rows -> segments, in batches, so that memory stays bounded however much comes."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from nightschool.record import Feedback, Record
from nightschool.store.manifest import TABLES, Manifest, Segment, TableName
from nightschool.store.schema import Row, table_of
from nightschool.store.segment import Split, seal
from nightschool.store.sweep import discard

BATCH_BYTES = 16 << 20
BATCH_ROWS = 10_000
"""Held in memory several times over: as records, as columns, as columns in time order."""


class Sealer:
    """Collects rows and seals them.

    Publish ``added_to(manifest)`` inside the block: segments left unpublished are deleted.
    """

    def __init__(self, folder: Path, *, split: Split = "hour", batch_rows: int = BATCH_ROWS) -> None:
        self.folder = folder
        self.split: Split = split
        self._batch_rows = batch_rows
        self.rows = 0
        self._segments: dict[TableName, list[Segment]] = {name: [] for name in TABLES}
        self._held: dict[TableName, list[Row]] = {name: [] for name in TABLES}
        self._held_bytes = self._held_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for name, segments in self._segments.items():
                discard(self.folder, name, segments)

    def add(self, row: Record | Feedback) -> None:
        if isinstance(row, Record):
            self._held["exchanges"].append(row)
            self._held_bytes += len(row.request or "") + len(row.response or "") + len(row.logprobs or "")
        else:
            self._held["feedback"].append(row)
        self.rows += 1
        self._held_rows += 1
        if self._held_bytes >= BATCH_BYTES or self._held_rows >= self._batch_rows:
            self.seal()

    def seal(self) -> None:
        """Write what has been collected."""
        for name, rows in self._held.items():
            self._segments[name] += seal(self.folder, name, table_of(name, rows), split=self.split)
        self._held = {name: [] for name in TABLES}
        self._held_bytes = self._held_rows = 0

    def added_to(self, manifest: Manifest) -> Manifest:
        for name, segments in self._segments.items():
            manifest = manifest.with_segments(name, segments)
        return manifest
