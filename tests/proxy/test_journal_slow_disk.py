"""Nobody waits for a slow disk; what does not fit into the queue is lost, and counted."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from nightschool.store import wal
from proxy.journal import SLOW_SYNC_S, Journal, JournalSettings
from tests.proxy.journaling import SLOW_S, an_id, ended, exchange, kinds, started, until
from tests.proxy.weathered_disk import Disk


async def test_only_the_first_slow_write_is_felt(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        exchange(journal, 0)
        disk.write_s = 0.3
        exchange(journal, 1)
        assert journal.state.behind

        longest = 0.0
        for number in range(2, 8):
            began = time.perf_counter()
            exchange(journal, number)
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - began)
        assert longest < 0.2
        assert journal.state.queued_bytes > 0

    assert ended(tmp_path) == [an_id(number) for number in range(8)]
    assert (journal.state.lost, journal.state.queued_bytes) == (0, 0)


async def fallen_behind(journal: Journal, disk: Disk) -> None:
    """One slow write, and from then on every write hangs."""
    exchange(journal, 0)
    disk.write_s = SLOW_S
    exchange(journal, 1)
    disk.write_s = 0.0
    disk.write_gate.clear()
    assert journal.state.behind


async def test_what_finds_the_queue_full_is_lost_and_counted(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk, queue_bytes=10_000) as journal:
        await fallen_behind(journal, disk)
        for number in range(2, 22):
            exchange(journal, number, b"x" * 1000)
            assert journal.state.queued_bytes <= 10_000
        lost = journal.state.lost
        assert 2 * 10 <= lost <= 2 * 12
        assert "too slow" in (journal.state.last_error or "")
        disk.write_gate.set()
        await until(lambda: not journal.state.behind)
        assert journal.state.queued_bytes == 0

        exchange(journal, 100)
        assert ended(tmp_path)[-1] == an_id(100)  # written directly again

    kept = ended(tmp_path)
    assert kept == [*(an_id(number) for number in range(len(kept) - 1)), an_id(100)]
    assert len(kept) == 23 - lost // 2


async def test_a_disk_that_is_quick_again_is_written_to_directly_again(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        for first in (0, 10):
            await fallen_behind(journal, disk)
            exchange(journal, first + 2)
            disk.write_gate.set()
            await until(lambda: not journal.state.behind)
            exchange(journal, first + 3)
            assert ended(tmp_path)[-1] == an_id(first + 3)

    assert journal.state.lost == 0


async def test_nobody_waits_for_a_disk_that_is_behind(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk, fsync="always") as journal:
        await fallen_behind(journal, disk)
        exchange(journal, 2)

        await asyncio.wait_for(journal.durable(), 0.5)


async def test_a_sync_that_hangs_switches_to_the_queue(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        disk.sync_gate.clear()
        exchange(journal, 1)
        await until(lambda: journal.state.behind, within_s=SLOW_SYNC_S + 2)
        exchange(journal, 2)
        assert journal.state.queued_bytes > 0
        disk.sync_gate.set()
        await until(lambda: not journal.state.behind)
        exchange(journal, 3)
        assert ended(tmp_path)[-1] == an_id(3)

    assert ended(tmp_path) == [an_id(1), an_id(2), an_id(3)]
    assert journal.state.lost == 0


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        await fallen_behind(journal, disk)
        for number in range(2, 10):
            exchange(journal, number)
        journal.rotate()
        exchange(journal, 10)

    assert ended(tmp_path) == [an_id(number) for number in range(11)]
    assert [log[-1] for log in kinds(tmp_path)] == [wal.FINISHED] * 2


async def test_a_slow_disk_gets_what_waits_in_few_writes(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        await fallen_behind(journal, disk)
        exchange(journal, 2)
        await asyncio.sleep(0.1)  # now the thread hangs in a write
        for number in range(3, 100):
            exchange(journal, number)
        before = disk.writes
        disk.write_gate.set()
        await until(lambda: not journal.state.behind)

        assert disk.writes - before <= 3
    assert ended(tmp_path) == [an_id(number) for number in range(100)]


async def test_closing_gives_up_on_a_disk_that_hangs_and_says_what_that_costs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    journal = Journal(tmp_path, wal.Header, JournalSettings(), open_file=disk.open_file)
    journal.start()
    await fallen_behind(journal, disk)
    exchange(journal, 2)
    await asyncio.sleep(0.1)  # now the thread hangs in a write
    for number in range(3, 8):
        exchange(journal, number)

    began = time.monotonic()
    await journal.close(timeout_s=0.2)
    assert time.monotonic() - began < 30
    assert journal.state.lost == 2 * 5 + 1  # and the end of the log
    assert journal.state.queued_bytes >= 0
    assert "records_lost count=11" in caplog.text

    disk.write_gate.set()
    await journal.close()
