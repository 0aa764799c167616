"""The recorder, as the process that it is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nightschool.store.lock import is_locked, lock
from nightschool.store.manifest import prepare_folder, read_manifest
from proxy.recorder import BUSY, Every
from tests.store.logs import NOON_US, exchange, header, ids, open_log, text_id, write_log
from tests.waiting import until

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts recorders for the folder ``tmp_path / "data"``; ends them all."""
    running: list[subprocess.Popen[str]] = []

    def start(*options: str, pass_fds: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        log = (tmp_path / "recorder.log").open("a")
        command = [sys.executable, "-m", "proxy.recorder", str(tmp_path / "data"), *options]
        running.append(subprocess.Popen(command, stderr=log, text=True, pass_fds=pass_fds))
        log.close()
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    prepare_folder(tmp_path / "data")
    return tmp_path / "data"


def log_of(data: Path) -> str:
    return (data.parent / "recorder.log").read_text()


def wait_for_log(data: Path, pattern: str) -> None:
    until(lambda: re.search(pattern, log_of(data)), what=pattern)


def grow(path: Path) -> None:
    """Make a log so large that the recorder does not wait for others."""
    big = "x" * (1 << 20)
    frames = [part for n in range(17) for part in exchange(NOON_US + n, n, question=big)]
    path.write_bytes(b"".join([*header(), *frames]))


def test_once_absorbs_what_is_finished_and_ends(data: Path, start: Start) -> None:
    write_log(data, [exchange(NOON_US)])

    assert start("--once").wait(30) == 0

    assert list((data / "wal").iterdir()) == []
    assert ids(data) == [text_id(NOON_US)]


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path, start: Start) -> None:
    assert start("--once").wait(30) == 0
    assert (tmp_path / "data" / "manifest.json").exists()


def test_a_large_log_is_absorbed_at_once_and_a_small_one_waits(data: Path, start: Start) -> None:
    start()
    wait_for_log(data, "recorder_started")
    small = write_log(data, [exchange(NOON_US + 99, 99)], "small")
    wait_s = 2.0
    with pytest.raises(AssertionError):
        until(lambda: not small.exists(), within_s=wait_s)

    grow(write_log(data, [], "large"))

    until(lambda: not list((data / "wal").iterdir()))
    assert len(ids(data)) == 18


def test_a_small_log_does_not_wait_for_ever(data: Path, start: Start) -> None:
    path = write_log(data, [exchange(NOON_US)])
    os.utime(path, (0, 0))
    start()

    until(lambda: not path.exists())


def test_on_sigterm_everything_finished_is_absorbed_first(data: Path, start: Start) -> None:
    recorder = start()
    wait_for_log(data, "recorder_started")
    write_log(data, [exchange(NOON_US)])
    with open_log(data, [exchange(NOON_US + 1, 1)]) as being_written:
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(30) == 0
        assert list((data / "wal").iterdir()) == [being_written]

    assert [segment.rows for segment in read_manifest(data).segments("exchanges")] == [1]
    assert "recorder_ended" in log_of(data)


def test_the_death_of_the_parent_ends_it_the_same_way(data: Path, start: Start) -> None:
    reading, writing = os.pipe()
    recorder = start("--stop-fd", str(reading), pass_fds=(reading,))
    os.close(reading)
    wait_for_log(data, "recorder_started")
    write_log(data, [exchange(NOON_US)])

    os.close(writing)

    assert recorder.wait(30) == 0
    assert list((data / "wal").iterdir()) == []


def test_there_is_one_recorder_per_folder(data: Path, start: Start) -> None:
    with lock(data / "recorder.lock"):
        assert start().wait(30) == BUSY
    assert "recorder_busy" in log_of(data)


def test_when_its_lock_is_deleted_it_makes_way(data: Path, start: Start) -> None:
    recorder = start()
    wait_for_log(data, "recorder_started")
    assert is_locked(data / "recorder.lock")

    shutil.rmtree(data)

    assert recorder.wait(30) == 1
    assert "recorder_lock_deleted" in log_of(data)


def test_when_its_lock_is_deleted_it_makes_way_even_if_it_is_told_to_stop_before_it_notices(
    data: Path, start: Start
) -> None:
    recorder = start()
    wait_for_log(data, "recorder_started")
    recorder.send_signal(signal.SIGSTOP)
    shutil.rmtree(data)
    write_log(data, [exchange(NOON_US)])
    recorder.send_signal(signal.SIGTERM)

    recorder.send_signal(signal.SIGCONT)

    assert recorder.wait(30) == 1
    assert ids(data) == [text_id(NOON_US)]


def test_a_damaged_manifest_is_shouted_and_nothing_is_touched(data: Path, start: Start) -> None:
    path = write_log(data, [exchange(NOON_US)])
    os.utime(path, (0, 0))
    (data / "manifest.json").write_text("{ no json")

    start()

    wait_for_log(data, r"recorder_blocked .*manifest\.json is damaged")
    assert path.exists()
    assert log_of(data).count("recorder_blocked") == 1


def test_a_disk_that_refuses_is_tried_again_until_it_does_not(data: Path, start: Start) -> None:
    path = write_log(data, [exchange(NOON_US)])
    os.utime(path, (0, 0))
    (data / "exchanges").write_text("a file where a folder must be")
    start()
    wait_for_log(data, "recorder_blocked")
    assert path.exists()

    (data / "exchanges").unlink()

    until(lambda: not path.exists())
    assert ids(data) == [text_id(NOON_US)]


def test_old_rows_are_deleted(data: Path, start: Start) -> None:
    write_log(data, [exchange(NOON_US)])
    assert start("--once").wait(30) == 0

    start("--retention-days", "1")

    until(lambda: ids(data) == [])


def test_a_log_that_cannot_be_read_is_named_and_the_others_are_absorbed(data: Path, start: Start) -> None:
    newer = data / "wal" / "0-newer.wal"
    write_log(data, [exchange(NOON_US)], "1")
    newer.write_bytes(b"".join(header(schema_version=99)))
    os.utime(newer, (0, 0))
    start()

    until(lambda: [path.name for path in (data / "wal").iterdir()] == [newer.name])
    wait_for_log(data, r"log_not_absorbed .*0-newer\.wal")


def test_a_period_begins_at_once() -> None:
    due = Every(60)

    assert (due(), due()) == (True, False)
