"""A disk that is slow or hangs: the journal hardly blocks the event loop, holds little, counts what it drops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from nightschool.record import new_id
from nightschool.store import wal
from proxy.journal import Journal, JournalSettings
from proxy.log_file import DiskLog

BODY = b"x" * 10_000


class SlowDisk:
    """Log files on a disk whose writes or syncs can be held up."""

    def __init__(self) -> None:
        self.write_s = 0.0
        self.healthy = threading.Event()
        self.healthy.set()
        """Cleared: every sync hangs until it is set again."""

    def open(self, path: Path) -> DiskLog:
        disk = self

        class Slow(DiskLog):
            def write(self, buffers: Sequence[bytes]) -> None:
                time.sleep(disk.write_s)
                super().write(buffers)

            def sync(self) -> None:
                disk.healthy.wait()
                super().sync()

        return Slow(path)


class Longest:
    """The longest time for which the event loop did nothing else."""

    def __init__(self) -> None:
        self.stall_s = 0.0

    async def watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.stall_s = max(self.stall_s, time.perf_counter() - before)


def journal_on(folder: Path, disk: SlowDisk, **settings: int | float | str) -> Journal:
    return Journal(folder, wal.Header, JournalSettings(**settings), open_file=disk.open)  # type: ignore[arg-type]


def exchange(journal: Journal) -> bytes:
    """Journal one exchange; returns its id."""
    exchange_id = new_id()
    log = journal.begin(wal.Request(id=exchange_id, time_us=1), (BODY,))
    if log is not None:
        journal.end(log, wal.End(id=exchange_id, status=200), (b"ok",))
        journal.turn.end()
    return exchange_id


def ended(folder: Path) -> list[bytes]:
    """Ids of the exchanges whose END can be read back."""
    frames = (frame for path in sorted(folder.glob("*.wal")) for frame in wal.read_frames(path))
    return [wal.decode_end(frame.meta).id for frame in frames if frame.kind == wal.END]


async def soon(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.005)


async def stalls_during(work: Awaitable[None]) -> float:
    longest = Longest()
    watcher = asyncio.ensure_future(longest.watch())
    await work
    watcher.cancel()
    return longest.stall_s


@pytest.mark.alone
async def test_a_slow_disk_is_written_to_from_a_queue_and_nothing_is_lost(tmp_path: Path) -> None:
    disk = SlowDisk()
    journal = journal_on(tmp_path, disk)
    journal.start()
    asked: list[bytes] = []

    async def traffic() -> None:
        for _ in range(100):
            asked.append(exchange(journal))
            await asyncio.sleep(0.001)

    disk.write_s = 0.06
    stall_s = await stalls_during(traffic())
    disk.write_s = 0.0
    await soon(lambda: journal.state.queued_bytes == 0)
    await journal.close()

    assert stall_s < 1.0  # a few writes until it is known that the disk is slow, not a hundred
    assert journal.state.lost == 0
    assert ended(tmp_path) == asked


async def test_what_a_slow_disk_does_not_take_is_dropped_at_the_limit_and_counted(tmp_path: Path) -> None:
    disk = SlowDisk()
    journal = journal_on(tmp_path, disk, queue_bytes=200_000)
    journal.start()
    disk.write_s = 0.2
    for _ in range(200):
        exchange(journal)
        await asyncio.sleep(0)
    held, lost = journal.state.queued_bytes, journal.state.lost
    disk.write_s = 0.0
    await soon(lambda: not journal.state.behind)
    later = exchange(journal)
    await journal.close()

    assert 0 < held <= 200_000
    assert lost > 100
    assert later in ended(tmp_path)


@pytest.mark.alone
async def test_a_disk_whose_sync_hangs_delays_nobody(tmp_path: Path) -> None:
    disk = SlowDisk()
    journal = journal_on(tmp_path, disk)
    journal.start()
    asked: list[bytes] = []

    async def traffic() -> None:
        disk.healthy.clear()
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            asked.append(exchange(journal))
            await asyncio.sleep(0.01)

    stall_s = await stalls_during(traffic())
    disk.healthy.set()
    await soon(lambda: journal.state.queued_bytes == 0)
    await journal.close()

    assert stall_s < 0.5
    assert journal.state.lost == 0
    assert ended(tmp_path) == asked


async def test_a_disk_that_never_comes_back_does_not_hold_up_the_stop_for_ever(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    disk = SlowDisk()
    request.addfinalizer(disk.healthy.set)
    journal = journal_on(tmp_path, disk)
    journal.start()
    disk.healthy.clear()
    exchange(journal)
    began = time.monotonic()
    await journal.close(timeout_s=0.5)

    assert time.monotonic() - began < 60


@pytest.mark.parametrize("fsync", ["batch", "always", "off"])
async def test_what_is_acknowledged_can_be_read_at_once_whatever_fsync_says(tmp_path: Path, fsync: str) -> None:
    disk = SlowDisk()
    journal = journal_on(tmp_path, disk, fsync=fsync)
    journal.start()
    asked = []
    for _ in range(20):
        asked.append(exchange(journal))
        await journal.durable()
        assert ended(tmp_path) == asked
    await journal.close()
