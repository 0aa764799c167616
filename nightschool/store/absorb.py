"""Finished logs -> segments: the one way from the write-ahead log into the tables.

    finished logs -> rows -> segments -> publish {+ segments, + names of the logs} -> delete the logs
                     costs -> spend.json, once per log

A crash before the publication leaves segments that nobody names, and the logs: they are absorbed again. A crash after
it leaves logs that the manifest calls absorbed: readers skip them, and ``clear_absorbed`` deletes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nightschool.store.durable import sync_folder
from nightschool.store.lock import lock_at_once
from nightschool.store.log import FOLDER, LogReader, LogUnreadable, is_finished, list_logs
from nightschool.store.manifest import Manifest, prepare_folder, publish, read_manifest
from nightschool.store.quarantine import keep_rest
from nightschool.store.sealer import Sealer
from nightschool.store.spend import Costs

BATCH_BYTES = 32 << 20
"""Logs of about so many bytes are published together."""


@dataclass
class Absorbed:
    """What one pass over the finished logs came to."""

    rows: int = 0
    refused: list[LogUnreadable] = field(default_factory=list)
    """Logs that stay where they are, and why."""


def absorb(folder: Path, logs: Iterable[Path], *, batch_bytes: int = BATCH_BYTES) -> Absorbed:
    """Move the rows of finished logs into the tables and delete the logs. One process at a time: the recorder.

    A folder that somebody has deleted, and a proxy made anew for its log, becomes a store again first.
    """
    result = Absorbed()
    prepare_folder(folder)
    for batch in _batches(logs, batch_bytes):
        while batch:
            try:
                result.rows += _absorb_batch(folder, batch)
                break
            except LogUnreadable as error:
                result.refused.append(error)
                batch.remove(error.path)
    return result


def finished_logs(folder: Path) -> list[Path]:
    """Logs that can be absorbed now, oldest first."""
    absorbed = set(read_manifest(folder).absorbed)
    return [path for path in list_logs(folder) if path.name not in absorbed and is_finished(path)]


def clear_absorbed(folder: Path) -> None:
    """Delete logs whose rows are in segments, then forget their names."""
    names = read_manifest(folder).absorbed
    if not names:
        return
    logs = folder / FOLDER
    for name in names:
        (logs / name).unlink(missing_ok=True)
    if logs.is_dir():
        # The deletion must be durable first: a log that came back with its name forgotten would be absorbed twice.
        sync_folder(logs)
    publish(folder, lambda manifest: msgspec.structs.replace(manifest, absorbed=()))


def _batches(logs: Iterable[Path], batch_bytes: int) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for path in logs:
        batch.append(path)
        size += path.stat().st_size
        if size >= batch_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _absorb_batch(folder: Path, logs: Sequence[Path]) -> int:
    names = tuple(path.name for path in logs)
    costs = Costs()
    with Sealer(folder) as sealer:
        for path in logs:
            _seal_log(folder, path, sealer, costs)
        sealer.seal()
        costs.note(folder, (path.name for path in list_logs(folder)))
        publish(folder, lambda manifest: _with_absorbed(sealer.added_to(manifest), names))
    clear_absorbed(folder)
    return sealer.rows


def _with_absorbed(manifest: Manifest, names: tuple[str, ...]) -> Manifest:
    return msgspec.structs.replace(manifest, absorbed=(*manifest.absorbed, *names))


def _seal_log(folder: Path, path: Path, sealer: Sealer, costs: Costs) -> None:
    reader = LogReader(path, finished=True)
    for row in reader:
        sealer.add(row)
        costs.add(path.name, row)
    unread = path.stat().st_size - reader.end_offset
    if reader.damaged:
        keep_rest(folder, path, 0, reader.told_damage())
    elif unread:
        keep_rest(folder, path, reader.end_offset, f"the {unread} bytes at its end are no whole frame")


def absorb_now(folder: Path) -> bool:
    """Absorb what is finished, in the recorder's place; False if one is running, which does it in its own time."""
    with lock_at_once(folder / "recorder.lock") as held:
        if held:
            clear_absorbed(folder)
            absorb(folder, finished_logs(folder))
        return held
