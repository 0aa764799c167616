"""A disk that is full or gone never delays or fails a request; what it costs is counted."""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from nightschool.store import wal
from proxy.journal import LOOK_EVERY_S, Journal, JournalSettings
from proxy.log_file import DiskLog
from tests.proxy.journaling import an_id, begin, end, ended, exchange, kinds, started, until
from tests.proxy.weathered_disk import Disk


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
        journal.part(log, an_id(3), (b"lost",))
        assert journal.state.lost == 3 * 2 + 2
        await until(lambda: "records_lost count=8 total=8" in caplog.text)
        disk.full = False
        end(journal, log, 3)
        exchange(journal, 4)

    assert ended(tmp_path) == [an_id(3), an_id(4)]
    assert journal.state.lost == 8


@pytest.mark.parametrize("fsync", ["batch", "always"])
async def test_a_disk_that_could_not_keep_what_it_took_is_told_of_and_its_log_is_left(
    fsync: Literal["batch", "always"], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Forgetful(DiskLog):
        """Says once that it has forgotten, as Linux does."""

        told = False

        def sync(self) -> None:
            if not Forgetful.told:
                Forgetful.told = True
                raise OSError(errno.EIO, "Input/output error")
            super().sync()

    journal = Journal(tmp_path, wal.Header, JournalSettings(fsync=fsync), open_file=Forgetful)
    journal.start()
    exchange(journal, 1)
    await journal.durable()
    await until(lambda: "records_lost count=2 total=2 cause='Input/output error" in caplog.text)
    await until(lambda: wal.FINISHED in kinds(tmp_path)[0])
    exchange(journal, 2)
    await journal.durable()
    await journal.close()

    assert journal.state.lost == 2
    assert kinds(tmp_path)[1] == [wal.HEADER, wal.REQUEST, wal.END, wal.FINISHED]


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


async def test_a_fault_of_the_thread_that_helps_is_told_at_once(tmp_path: Path) -> None:
    class Faulty(DiskLog):
        def sync(self) -> None:
            raise ValueError("a fault of ours")

    faults: list[BaseException] = []
    journal = Journal(tmp_path, wal.Header, JournalSettings(), open_file=Faulty, on_fault=faults.append)
    journal.start()
    exchange(journal, 1)

    await until(lambda: bool(faults))

    assert str(faults[0]) == "a fault of ours"
    await journal.close(timeout_s=0.1)
