"""On a healthy disk: what was recorded is read back whole, and is there before a client can know of it."""

from __future__ import annotations

import asyncio
import fcntl
import time
from pathlib import Path
from typing import Any

import pytest

from nightschool.store import wal
from proxy.journal import SLOW_SYNC_S, TICK_S
from tests.proxy.journaling import an_id, begin, end, ended, exchange, kinds, logs, started, until
from tests.proxy.weathered_disk import Disk


async def test_an_exchange_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        log = begin(journal, 1, b'{"model": "m"}')
        journal.part(log, an_id(1), (b"data: 1\n\n", b"data: 2\n\n"))
        end(journal, log, 1, b"data: [DONE]\n\n")

    (frames,) = logs(tmp_path).values()
    assert [frame.kind for frame in frames] == [wal.HEADER, wal.REQUEST, wal.PART, wal.END, wal.FINISHED]
    assert wal.decode_header(frames[0].meta) == wal.Header(worker="w")
    assert (wal.decode_request(frames[1].meta).id, frames[1].body) == (an_id(1), b'{"model": "m"}')
    assert (wal.decode_part(frames[2].meta).id, frames[2].body) == (an_id(1), b"data: 1\n\ndata: 2\n\n")
    assert (wal.decode_end(frames[3].meta).status, frames[3].body) == (200, b"data: [DONE]\n\n")
    assert journal.state.lost == 0


class Watcher(asyncio.Transport):
    """Notes what is in the log when it is written to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.seen: list[list[bytes]] = []
        self._folder = folder

    def write(self, data: Any) -> None:
        self.seen.append(ended(self._folder))

    def is_closing(self) -> bool:
        return False


async def test_an_end_is_in_the_file_before_anything_that_goes_to_a_client_in_the_same_turn(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        client = Watcher(tmp_path)
        for number in range(3):
            log = begin(journal, number)
            journal.turn.write(client, b"all but the last")
            journal.end(log, wal.End(id=an_id(number), status=200), (b"done",))
            journal.turn.write(client, b"the last")
        await asyncio.sleep(0)

        assert client.seen == [[an_id(0), an_id(1), an_id(2)]] * 6


async def test_the_ends_of_one_turn_are_one_write_and_a_turn_has_an_end_without_clients(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        logs = [begin(journal, number) for number in range(3)]
        before = disk.writes
        for number, log in enumerate(logs):
            journal.end(log, wal.End(id=an_id(number), status=200), (b"done",))
        await asyncio.sleep(0)

        assert ended(tmp_path) == [an_id(0), an_id(1), an_id(2)]
        assert disk.writes == before + 2  # of the header, and of all frames


@pytest.mark.alone
async def test_a_request_without_an_answer_is_in_the_file_within_a_tick(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        log = begin(journal, 1)
        began = time.monotonic()
        await until(lambda: kinds(tmp_path) == [[wal.HEADER, wal.REQUEST]])
        assert time.monotonic() - began < TICK_S + 0.5
        end(journal, log, 1)


async def test_a_large_request_does_not_wait_for_the_tick(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        log = begin(journal, 1, b"x" * (300 << 10))
        assert kinds(tmp_path) == [[wal.HEADER, wal.REQUEST]]
        end(journal, log, 1)


async def test_an_exchange_stays_in_one_log_while_others_are_begun(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        long = begin(journal, 1)
        journal.rotate()
        exchange(journal, 2)
        journal.part(long, an_id(1), (b"late",))
        assert wal.FINISHED not in kinds(tmp_path)[0]
        end(journal, long, 1)

    assert kinds(tmp_path) == [
        [wal.HEADER, wal.REQUEST, wal.PART, wal.END, wal.FINISHED],
        [wal.HEADER, wal.REQUEST, wal.END, wal.FINISHED],
    ]


async def test_a_log_is_retired_when_it_is_large_or_old(tmp_path: Path) -> None:
    async with started(tmp_path / "large", segment_bytes=1000) as journal:
        for number in range(3):
            exchange(journal, number, b"x" * 2000)
    async with started(tmp_path / "old", segment_s=0.1) as journal:
        exchange(journal, 1)
        await until(lambda: wal.FINISHED in kinds(tmp_path / "old")[0])
        exchange(journal, 2)

    assert kinds(tmp_path / "large") == [[wal.HEADER, wal.REQUEST, wal.END, wal.FINISHED]] * 3
    assert len(kinds(tmp_path / "old")) == 2


async def test_a_log_is_locked_until_it_is_finished(tmp_path: Path) -> None:
    def locked() -> bool:
        with next(tmp_path.glob("*.wal")).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    async with started(tmp_path) as journal:
        exchange(journal, 1)
        assert locked()
        journal.rotate()
        await until(lambda: not locked())


async def test_no_log_is_made_before_there_is_something_in_it(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        journal.rotate()
        await asyncio.sleep(2 * TICK_S)

    assert list(tmp_path.iterdir()) == []


async def test_the_frames_and_bytes_written_are_counted(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        log = begin(journal, 1)
        journal.part(log, an_id(1), (b"x",))
        end(journal, log, 1)
        assert journal.feedback(wal.Part(an_id(1)))

        header = logs(tmp_path).popitem()[1][0].end_offset
        written = next(tmp_path.glob("*.wal")).stat().st_size
        assert (journal.state.frames, journal.state.bytes) == (4, written - header)


async def test_closing_finishes_every_log_whose_exchanges_have_ended(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        cut = begin(journal, 1)
        journal.rotate()
        begin(journal, 2)
        assert not cut.pending
        exchange(journal, 3)
        end(journal, cut, 1)

    assert kinds(tmp_path) == [
        [wal.HEADER, wal.REQUEST, wal.END, wal.FINISHED],
        [wal.HEADER, wal.REQUEST, wal.REQUEST, wal.END],  # one was still open: the log ends without FINISHED
    ]


async def test_batch_syncs_soon_after_a_write(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        exchange(journal, 1)
        (path,) = tmp_path.glob("*.wal")
        await until(lambda: disk.synced_bytes.get(path.name) == path.stat().st_size, within_s=2.0)


async def test_durable_returns_when_the_disk_has_everything(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk, fsync="always") as journal:
        assert journal.waits_for_disk
        for number in range(3):
            exchange(journal, number)
            (path,) = tmp_path.glob("*.wal")
            size = path.stat().st_size
            await journal.durable()
            assert disk.synced_bytes[path.name] >= size


async def test_durable_waits_for_as_long_as_the_sync_takes(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk, fsync="always") as journal:
        disk.sync_gate.clear()
        exchange(journal, 1)
        waiting = asyncio.ensure_future(journal.durable())
        await asyncio.sleep(0.2)
        assert not waiting.done()
        disk.sync_gate.set()
        await asyncio.wait_for(waiting, 2.0)


async def test_off_never_syncs(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk, fsync="off") as journal:
        assert not journal.waits_for_disk
        exchange(journal, 1)
        await asyncio.sleep(3 * TICK_S)

    assert disk.synced_bytes == {}
    assert ended(tmp_path) == [an_id(1)]


async def test_no_answer_waits_for_a_sync_that_hangs_for_longer_than_the_limit(tmp_path: Path) -> None:
    disk = Disk()
    async with started(tmp_path, disk, fsync="always") as journal:
        disk.sync_gate.clear()
        exchange(journal, 1)
        await asyncio.wait_for(journal.durable(), SLOW_SYNC_S + 1.0)
        await until(lambda: journal.state.behind)
