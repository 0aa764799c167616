"""Readers: the state of a store at one moment, as a DuckDB connection.

    manifest -> logs it has not absorbed -> manifest again: the same, or start over
             -> views over its segments and the rows of those logs

Nothing is locked: the recorder may publish at any time, and a snapshot shows the store before or after that, never in
between.
"""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from nightschool.errors import StoreError
from nightschool.store.lock import lock
from nightschool.store.manifest import TABLES, Manifest, Segment, TableName, read_manifest
from nightschool.store.schema import missing_in
from nightschool.store.unsealed import Unsealed, read_unsealed

ATTEMPTS = 5
_MAGIC = b"PAR1"


class StoreWarning(UserWarning):
    """A file of the store was left out; the rest was read."""


@dataclass(frozen=True)
class Window:
    """A span of time [since, until), in microseconds; segments outside of it need not be opened."""

    since_us: int | None = None
    until_us: int | None = None

    def touches(self, segment: Segment) -> bool:
        return (self.since_us is None or segment.max_time_us >= self.since_us) and (
            self.until_us is None or segment.min_time_us < self.until_us
        )


EVERYTHING = Window()


@dataclass(frozen=True)
class Snapshot:
    """A store at one moment."""

    folder: Path
    manifest: Manifest
    unsealed: Unsealed

    def segments(self, name: TableName, window: Window = EVERYTHING) -> list[Segment]:
        return [segment for segment in self.manifest.segments(name) if window.touches(segment)]


def take_snapshot(path: str | PathLike[str]) -> Snapshot:
    """Read manifest and logs so that no exchange is missing or there twice."""
    folder = Path(path).absolute()
    if not folder.is_dir():
        raise StoreError(
            f"there is no data folder at {folder}",
            remedy="start `nightschool proxy`, import something with `nightschool logs import`, or correct `data:`",
        )
    for attempt in range(ATTEMPTS):
        last = attempt == ATTEMPTS - 1 and os.access(folder / "manifest.lock", os.W_OK)
        with lock(folder / "manifest.lock") if last else nullcontext():
            manifest = read_manifest(folder)
            unsealed = read_unsealed(folder, manifest.absorbed)
            if read_manifest(folder).generation == manifest.generation:
                return Snapshot(folder, manifest, unsealed)
    raise StoreError(f"{folder} changes faster than it can be read", remedy="try again")


def connect(snapshot: Snapshot, window: Window = EVERYTHING) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with one view a table; it warns of files that had to be left out."""
    for problem in snapshot.unsealed.problems:
        warnings.warn(problem, StoreWarning, stacklevel=3)
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set autoinstall_known_extensions = false")
    connection.execute("set enable_progress_bar = false")  # it would be printed among the answers
    for name in TABLES:
        segments = snapshot.segments(name, window)
        unsealed = snapshot.unsealed.tables[name]
        try:
            _create_view(connection, name, snapshot.folder, _sound(snapshot.folder, segments, tail_fault), unsealed)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:  # the file that was looked at for the columns
            _create_view(connection, name, snapshot.folder, _sound(snapshot.folder, segments, _footer_fault), unsealed)
    return connection


def _sound(folder: Path, segments: Iterable[Segment], fault_of: Callable[[Path, Segment], str]) -> list[Segment]:
    """The segments with which nothing is wrong."""
    sound = []
    for segment in segments:
        path = folder / segment.path
        if fault := fault_of(path, segment):
            warnings.warn(f"{path} is left out, {segment.rows} rows: {fault}", StoreWarning, stacklevel=4)
        else:
            sound.append(segment)
    return sound


def tail_fault(path: Path, segment: Segment) -> str:
    """What is wrong with a file, or nothing.

    Looks at size and end only: thousands of files must be opened in a fraction of a second.
    """
    try:
        with path.open("rb", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size != segment.bytes:
                return f"it has {size} bytes instead of {segment.bytes}"
            file.seek(-len(_MAGIC), os.SEEK_END)
            return "" if file.read() == _MAGIC else "it does not end as Parquet does"
    except OSError as error:
        return error.strerror or str(error)


def _footer_fault(path: Path, segment: Segment) -> str:
    try:
        pq.read_metadata(path)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        return str(error).strip()
    return tail_fault(path, segment)


def _create_view(
    connection: duckdb.DuckDBPyConnection,
    name: TableName,
    folder: Path,
    segments: Sequence[Segment],
    unsealed: pa.Table,
) -> None:
    parts = [
        f"select {columns} from {parquet(folder / segment.path for segment in some)}"
        for columns, some in _by_columns(name, segments).items()
    ]
    if unsealed.num_rows or not segments:
        connection.register("arriving", unsealed)
        connection.execute(f"create table unsealed_{name} as select * from arriving")
        connection.unregister("arriving")
        parts.append(f"select * from unsealed_{name}")
    connection.execute(f"create view {name} as {' union all '.join(parts)}")


def _by_columns(name: TableName, segments: Iterable[Segment]) -> dict[str, list[Segment]]:
    """Segments by what is to be selected from them, so that all have the columns of the newest."""
    found: dict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        missing = missing_in(name, segment.schema_version)
        found[", ".join(["*", *(f"null::varchar as {column}" for column in missing)])].append(segment)
    return found


def parquet(paths: Iterable[Path], *, options: str = "") -> str:
    """SQL for the rows of these files, which all have the same columns."""
    files = ", ".join(_quoted(str(path)) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false{options})"


def _quoted(path: str) -> str:
    """A file name as SQL text; what would be a pattern in it stands for itself."""
    literal = "".join(f"[{char}]" if char in "*?[" else char for char in path)
    return "'" + literal.replace("'", "''") + "'"
