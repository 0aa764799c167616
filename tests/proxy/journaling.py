"""A journal that writes for a test, what it is given, and what can be read of it afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from nightschool.store import wal
from proxy.journal import SLOW_WRITE_S, Journal, JournalSettings
from proxy.log import Log
from proxy.log_file import DiskLog
from tests.proxy.weathered_disk import Disk

SLOW_S = SLOW_WRITE_S * 1.5


@contextlib.asynccontextmanager
async def started(folder: Path, disk: Disk | None = None, **given: Any) -> AsyncIterator[Journal]:
    open_file: Any = disk.open_file if disk is not None else DiskLog
    journal = Journal(folder, lambda: wal.Header(worker="w"), JournalSettings(**given), open_file=open_file)
    journal.start()
    try:
        yield journal
    finally:
        if disk is not None:
            disk.write_gate.set()
            disk.sync_gate.set()
            disk.write_s = 0.0
        await journal.close()


def an_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def begin(journal: Journal, number: int, body: bytes = b"{}") -> Log:
    return journal.begin(wal.Request(id=an_id(number), time_us=number), (body,))


def end(journal: Journal, log: Log, number: int, body: bytes = b"done") -> None:
    journal.end(log, wal.End(id=an_id(number), status=200), (body,))
    journal.turn.end()


def exchange(journal: Journal, number: int, body: bytes = b"done") -> None:
    end(journal, begin(journal, number), number, body)


def logs(folder: Path) -> dict[str, list[wal.Frame]]:
    """The frames of every log, by file name; a log that cannot be read to its end fails the test."""
    found = {}
    for path in sorted(folder.glob("*.wal")):
        found[path.name] = list(wal.read_frames(path))
        assert found[path.name][-1].end_offset == path.stat().st_size
    return found


def kinds(folder: Path) -> list[list[int]]:
    return [[frame.kind for frame in frames] for frames in logs(folder).values()]


def ended(folder: Path) -> list[bytes]:
    """The ids of all ENDs that can be read, in order."""
    frames = [frame for frames in logs(folder).values() for frame in frames]
    return [wal.decode_end(frame.meta).id for frame in frames if frame.kind == wal.END]


async def until(fact: Any, within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not fact():
            await asyncio.sleep(0.005)
