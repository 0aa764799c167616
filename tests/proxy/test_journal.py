"""Recording never delays or fails a request; what was recorded is read back whole, and what was lost is counted."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.store import wal
from proxy.journal import LOOK_EVERY_S, SLOW_SYNC_S, SLOW_WRITE_S, TICK_S, Journal, JournalSettings
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


# -- a healthy disk


async def test_an_exchange_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        log = begin(journal, 1, b'{"model": "m"}')
        assert journal.part(log, an_id(1), (b"data: 1\n\n", b"data: 2\n\n"))
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


# -- what is on the disk


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


# -- a bad disk


@contextlib.contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Writes stop at ``size``, in the middle of a frame, as they do on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_half_a_frame_is_taken_back(tmp_path: Path) -> None:
    file = DiskLog(tmp_path / "a.wal")
    file.write([b"kept"])
    with files_limited_to(10), pytest.raises(OSError, match="No space left"):
        file.write([b"half of ", b"this fits"])
    assert (tmp_path / "a.wal").read_bytes() == b"kept"

    file.write([b", and more"])
    file.close()
    assert (tmp_path / "a.wal").read_bytes() == b"kept, and more"


def test_a_log_of_that_name_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.wal").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        DiskLog(tmp_path / "a.wal")

    assert [path.name for path in tmp_path.iterdir()] == ["a.wal"]
    assert (tmp_path / "a.wal").read_bytes() == b"somebody's"


def test_very_many_buffers_are_one_write_too(tmp_path: Path) -> None:
    file = DiskLog(tmp_path / "a.wal")
    file.write([b"%d," % number for number in range(5000)])
    file.close()

    assert (tmp_path / "a.wal").read_bytes() == b"".join(b"%d," % number for number in range(5000))


async def test_a_disk_that_fills_up_costs_the_frames_that_do_not_fit_and_no_others(tmp_path: Path) -> None:
    async with started(tmp_path, fsync="off") as journal:
        exchange(journal, 1)
        with files_limited_to(next(tmp_path.glob("*.wal")).stat().st_size + 60):
            exchange(journal, 2, b"x" * 500)
        assert journal.state.lost == 2  # its REQUEST and its END, which shared a write
        assert "No space left" in (journal.state.last_error or "")
        exchange(journal, 3)

    assert ended(tmp_path) == [an_id(1), an_id(3)]


async def test_a_full_disk_loses_and_counts_and_recovers_by_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    async with started(tmp_path, disk) as journal:
        disk.full = True
        for number in range(3):
            exchange(journal, number)
        log = begin(journal, 3)
        assert not journal.part(log, an_id(3), (b"lost",))
        assert journal.state.lost == 3 * 2 + 2
        await until(lambda: "records_lost count=8 total=8" in caplog.text)
        disk.full = False
        end(journal, log, 3)
        exchange(journal, 4)

    assert ended(tmp_path) == [an_id(3), an_id(4)]
    assert journal.state.lost == 8


async def test_a_log_that_could_not_be_begun_is_begun_again(tmp_path: Path) -> None:
    async with started(tmp_path, fsync="off") as journal:
        with files_limited_to(5):
            exchange(journal, 1)
        assert list(tmp_path.iterdir()) == []
        exchange(journal, 2)

    assert kinds(tmp_path) == [[wal.HEADER, wal.REQUEST, wal.END, wal.FINISHED]]
    assert journal.state.lost == 2


async def test_a_deleted_log_is_noticed_and_a_new_one_begun(tmp_path: Path) -> None:
    async with started(tmp_path) as journal:
        exchange(journal, 1)
        next(tmp_path.glob("*.wal")).unlink()
        await until(lambda: journal.state.lost > 0, within_s=LOOK_EVERY_S + 2)
        exchange(journal, 2)

    assert "deleted" in (journal.state.last_error or "")
    assert ended(tmp_path) == [an_id(2)]


async def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "wal"
    async with started(folder) as journal:
        exchange(journal, 1)
        journal.rotate()
        await until(lambda: wal.FINISHED in kinds(folder)[0])
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        exchange(journal, 2)

    assert ended(folder) == [an_id(2)]


# -- a slow disk


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
    assert time.monotonic() - began < 2
    assert journal.state.lost == 2 * 5 + 1  # and the end of the log
    assert journal.state.queued_bytes >= 0
    assert "records_lost count=11" in caplog.text

    disk.write_gate.set()
    await journal.close()


# -- whatever happens in whatever order

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["begin"] * 4 + ["part"] * 3 + ["end"] * 4 + ["rotate", "slow", "breathe"]),
        st.integers(0, 20),
        st.integers(0, 3000),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(OPERATIONS)
def test_each_exchange_has_exactly_its_frames_in_order_in_one_log(operations: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted, lost = asyncio.run(_played(Path(folder), operations))
        found: dict[bytes, list[tuple[str, int, bytes]]] = defaultdict(list)
        for name, frames in logs(Path(folder)).items():
            for frame in frames:
                if frame.kind in (wal.REQUEST, wal.PART, wal.END):
                    found[_id_of(frame)].append((name, frame.kind, frame.body))

    assert lost == 0
    assert {key: [frame[1:] for frame in frames] for key, frames in found.items()} == wanted
    assert all(len({name for name, _, _ in frames}) == 1 for frames in found.values())


async def _played(folder: Path, operations: list[tuple[str, int, int]]) -> tuple[dict[bytes, list[Any]], int]:
    wanted: dict[bytes, list[Any]] = {}
    open_ones: list[tuple[int, Log]] = []
    disk = Disk()
    async with started(folder, disk, fsync="off", segment_bytes=4000) as journal:
        for operation, which, size in operations:
            body = bytes([which]) * size
            number, log = open_ones[which % len(open_ones)] if open_ones else (-1, None)
            disk.write_s = SLOW_S if operation == "slow" else 0.0
            if operation == "begin":
                number = len(wanted)
                open_ones.append((number, begin(journal, number, body)))
                wanted[an_id(number)] = [(wal.REQUEST, body)]
            elif operation == "rotate":
                journal.rotate()
            elif operation == "breathe":
                await asyncio.sleep(TICK_S / 2)
            elif log is not None and operation in ("part", "slow"):
                journal.part(log, an_id(number), (body,))
                wanted[an_id(number)].append((wal.PART, body))
            elif log is not None:
                end(journal, log, number, body)
                wanted[an_id(number)].append((wal.END, body))
                open_ones.remove((number, log))
        for number, log in open_ones:
            end(journal, log, number, b"")
            wanted[an_id(number)].append((wal.END, b""))
    return wanted, journal.state.lost


def _id_of(frame: wal.Frame) -> bytes:
    if frame.kind == wal.REQUEST:
        return wal.decode_request(frame.meta).id
    return wal.decode_part(frame.meta).id if frame.kind == wal.PART else wal.decode_end(frame.meta).id
