"""The manifest: which files make up the tables at this moment. What it does not name is not part of the store.

    publish(folder, change):  lock -> read -> change -> write beside -> rename

It is replaced as a whole, so every reader sees the state before a change or the one after it. A log is absorbed, a
file merged away, a row erased in the very moment in which a new manifest takes the old one's name; that is why
nothing is lost or counted twice wherever a process may be killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from nightschool.errors import StoreError
from nightschool.record import SCHEMA_VERSION
from nightschool.store.durable import make_folder, new_file
from nightschool.store.lock import lock

FORMAT_VERSION = 1
NAME = "manifest.json"
TableName = Literal["exchanges", "feedback", "labels", "splits", "verdicts"]
TABLES: tuple[TableName, ...] = ("exchanges", "feedback", "labels", "splits", "verdicts")
TRAFFIC: tuple[TableName, ...] = ("exchanges", "feedback")
"""What logs hold, and what retention deletes; the others are work, and the memory of what was tested."""

Inside = Annotated[str, msgspec.Meta(pattern=r"(?s)^(?!/)(?!(.*/)?\.\.(/|$))")]
"""Relative to the data folder, with ``/``: a manifest reads and deletes nothing elsewhere."""
LogName = Annotated[str, msgspec.Meta(pattern=r"^[^/]+$")]


class Segment(msgspec.Struct, kw_only=True, frozen=True):
    """One immutable Parquet file of a table."""

    path: Inside
    rows: int
    min_time_us: int
    max_time_us: int
    bytes: int
    schema_version: int = SCHEMA_VERSION


class Garbage(msgspec.Struct, kw_only=True, frozen=True):
    """A file that the store has done with; it stays a while for readers that have just begun."""

    path: Inside
    since_us: int


class Manifest(msgspec.Struct, kw_only=True, frozen=True):
    """State of a store; a change makes a new one."""

    format_version: int = FORMAT_VERSION
    generation: int = 0
    """Counts changes: two manifests of one store are the same if this is."""
    tables: dict[TableName, tuple[Segment, ...]] = {}
    absorbed: tuple[LogName, ...] = ()
    """Names of logs whose rows are in segments, but whose files may still be there."""
    garbage: tuple[Garbage, ...] = ()

    def segments(self, table: TableName) -> tuple[Segment, ...]:
        return self.tables.get(table, ())

    def holds(self, table: TableName, segments: Collection[Segment]) -> bool:
        """False when somebody else has replaced one of ``segments`` meanwhile."""
        return {segment.path for segment in segments} <= {segment.path for segment in self.segments(table)}

    def with_segments(self, table: TableName, added: Sequence[Segment]) -> Manifest:
        if not added:
            return self
        return self.with_table(table, (*self.segments(table), *added))

    def without_segments(self, table: TableName, removed: Collection[Segment]) -> Manifest:
        """The segments are no longer part of the table; their files become garbage now."""
        paths = {segment.path for segment in removed}
        left = tuple(segment for segment in self.segments(table) if segment.path not in paths)
        now_us = time.time_ns() // 1000
        garbage = (*self.garbage, *(Garbage(path=path, since_us=now_us) for path in sorted(paths)))
        return msgspec.structs.replace(self.with_table(table, left), garbage=garbage)

    def with_table(self, table: TableName, segments: tuple[Segment, ...]) -> Manifest:
        """The table consists of these; files of others are forgotten, not made garbage."""
        return msgspec.structs.replace(self, tables={**self.tables, table: segments})


class _Version(msgspec.Struct):
    format_version: int


def read_manifest(folder: Path) -> Manifest:
    """The state of the store now; an empty one for a folder in which nothing has been sealed yet."""
    path = folder / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        _refuse_files_without_manifest(folder)
        return Manifest()
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version <= FORMAT_VERSION:
            return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{path} is damaged: {error}", remedy="restore this one file from a backup of the folder"
        ) from error
    raise StoreError(
        f"{path} has format version {version}, this nightschool reads up to {FORMAT_VERSION}",
        remedy="install the version of nightschool that has written to this folder last",
    )


def _refuse_files_without_manifest(folder: Path) -> None:
    if next(folder.glob("exchanges/**/*.parquet"), None) is not None:
        raise StoreError(
            f"{folder} holds segments, but its {NAME} is missing",
            remedy=f"restore {NAME} from a backup; until then any Parquet tool can read {folder / 'exchanges'}",
        )


def publish(folder: Path, change: Callable[[Manifest], Manifest]) -> Manifest:
    """Replace the manifest by ``change`` of it, one process after the other, and return the new one.

    ``change`` may be refused by raising; it must be quick and must not touch the manifest itself.
    """
    with lock(folder / "manifest.lock"):
        current = read_manifest(folder)
        changed = change(current)
        if changed == current:
            return current
        changed = msgspec.structs.replace(changed, generation=current.generation + 1)
        _write(folder, changed)
        return changed


def prepare_folder(folder: Path) -> None:
    """Make ``folder`` a store if it is none: from here on, files without a manifest are a fault."""
    make_folder(folder)
    with lock(folder / "manifest.lock"):
        if not (folder / NAME).exists():
            _write(folder, read_manifest(folder))


def _write(folder: Path, manifest: Manifest) -> None:
    with new_file(folder / NAME) as file:
        file.write(msgspec.json.encode(manifest))
