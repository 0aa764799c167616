"""What ``nightschool status`` tells of a data folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nightschool.store.filter import moment
from nightschool.store.lock import is_locked
from nightschool.store.manifest import TABLES
from nightschool.store.quarantine import list_quarantine
from nightschool.store.reader import Snapshot, take_snapshot


class TableSummary(msgspec.Struct, frozen=True):
    """One table."""

    rows: int
    """Sealed and still in logs."""
    unsealed_rows: int
    segments: int
    bytes: int


class Summary(msgspec.Struct, frozen=True):
    """A data folder at one moment."""

    data: str
    bytes: int
    """Everything in the folder."""
    tables: dict[str, TableSummary]
    newest_exchange: str | None
    """ISO 8601."""
    logs_waiting: int
    log_bytes: int
    recorder_running: bool
    quarantined: list[str]
    problems: list[str]


def summarize(folder: Path) -> Summary:
    """Look at the manifest, the logs and the files; no segment is opened."""
    snapshot = take_snapshot(folder)
    newest_us = _newest_us(snapshot)
    return Summary(
        data=str(folder),
        bytes=_size(folder),
        tables={
            name: TableSummary(
                rows=sum(segment.rows for segment in snapshot.segments(name)) + snapshot.unsealed.tables[name].num_rows,
                unsealed_rows=snapshot.unsealed.tables[name].num_rows,
                segments=len(snapshot.segments(name)),
                bytes=sum(segment.bytes for segment in snapshot.segments(name)),
            )
            for name in TABLES
        },
        newest_exchange=None if newest_us is None else moment(newest_us).isoformat(),
        logs_waiting=snapshot.unsealed.logs,
        log_bytes=snapshot.unsealed.bytes,
        recorder_running=is_locked(folder / "recorder.lock"),
        quarantined=[path.name for path in list_quarantine(folder)],
        problems=snapshot.unsealed.problems,
    )


def _newest_us(snapshot: Snapshot) -> int | None:
    sealed = [segment.max_time_us for segment in snapshot.segments("exchanges")]
    unsealed = snapshot.unsealed.tables["exchanges"].column("time")
    return max([*sealed, *(time.value for time in unsealed)], default=None)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total
