"""A training can be watched from outside while it runs, and leaves nothing to look at when it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from distill.train.points import Point, curve_csv, read_curve, smoothed, thinned
from distill.train.progress import FILE, LOCK, MOST_POINTS, Progress, ProgressFile, read_progress
from nightschool.store.lock import lock_at_once
from tests.distill.train.school import QUICK, school, tiny_folder, trained
from tests.full_file import make_full_file

ABOUT = Progress(workload="w", dataset="d", base_model="b", run="w--1", device="cpu")
DRIVER = [sys.executable, "-m", "tests.distill.train.crash_driver"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def curve(steps: int, look_every: int = 10) -> list[Point]:
    """Two seconds and 100 tokens a step."""
    return [
        Point(n, n / 50, 100 * n, 2.0 * n, 0.01, 1 / n, 0.5 if n % look_every == 0 else None)
        for n in range(1, steps + 1)
    ]


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def placed(data: Path) -> Path:
    folder = data / "runs" / "w--1"
    folder.mkdir(parents=True)
    return folder


def test_what_is_told_is_read_with_speed_and_time_left(tmp_path: Path) -> None:
    ProgressFile(placed(tmp_path), ABOUT).tell(curve(60), 100)

    (seen,) = read_progress(tmp_path)

    told = seen.progress
    assert (told.workload, told.dataset, told.run, told.device) == ("w", "d", "w--1", "cpu")
    assert (told.step, told.steps, told.tokens_per_s, told.seconds_left) == (60, 100, 50.0, 80.0)
    assert told.points == curve(60)


def test_before_the_first_step_the_number_of_steps_is_known_and_no_speed(tmp_path: Path) -> None:
    ProgressFile(placed(tmp_path), ABOUT).tell([], 100)

    ((told, _, _),) = read_progress(tmp_path)

    assert (told.step, told.steps, told.tokens_per_s, told.seconds_left, told.points) == (0, 100, None, None, [])


def test_it_is_written_every_two_seconds_at_most_and_at_the_end(tmp_path: Path) -> None:
    clock, written = Clock(), []
    progress = ProgressFile(placed(tmp_path), ABOUT, clock=clock)

    for step in range(1, 11):
        progress.tell(curve(step), 10)
        written.append(read_progress(tmp_path)[0].progress.step)
        clock.now += 0.5

    assert written == [1, 1, 1, 1, 5, 5, 5, 5, 9, 10]


def test_who_holds_the_run_is_told_from_who_was_killed(tmp_path: Path) -> None:
    folder = placed(tmp_path)
    ProgressFile(folder, ABOUT).tell(curve(3), 10)

    with lock_at_once(folder / LOCK):
        held = read_progress(tmp_path)[0].running

    assert (held, read_progress(tmp_path)[0].running) == (True, False)


@pytest.mark.parametrize("content", [b"", b"{", b'{"workload": 1}', b"\xff"])
def test_a_file_that_was_cut_is_none(tmp_path: Path, content: bytes) -> None:
    (placed(tmp_path) / FILE).write_bytes(content)

    assert read_progress(tmp_path) == []


def test_a_disk_that_is_full_stops_no_training(tmp_path: Path) -> None:
    folder = placed(tmp_path)
    make_full_file(folder / f"{FILE}.tmp")

    ProgressFile(folder, ABOUT).tell(curve(3), 10)

    assert read_progress(tmp_path) == []


@pytest.mark.parametrize("steps", [0, 1, 500, 501, 3000, 100_000])
@pytest.mark.parametrize("look_every", [1, 7, 100])
def test_a_long_curve_is_thinned_and_keeps_its_end(steps: int, look_every: int) -> None:
    whole = curve(steps, look_every)

    few = thinned(whole, MOST_POINTS)

    assert len(few) <= MOST_POINTS
    assert few == sorted(few, key=lambda point: point.step)
    assert few[-1:] == whole[-1:]
    assert len(few) >= min(steps, MOST_POINTS // 4)


def test_the_table_of_a_curve_is_read_as_it_was_written() -> None:
    assert read_curve(curve_csv(curve(25))) == curve(25)
    assert smoothed(curve(4), 2) == [(2, 0.75), (4, (1 / 3 + 1 / 4) / 2)]


def test_a_live_training_is_seen_and_is_gone_when_it_has_ended(tmp_path: Path) -> None:
    folder = school(tmp_path)
    seen: list[tuple[int, int, bool]] = []

    def look(point: Any, _: object) -> None:
        seen.extend((each.progress.step, each.progress.steps, each.running) for each in read_progress(folder))

    adapter = trained(folder, watch=look).adapter

    steps = adapter.outcome.steps
    assert seen
    assert all(of == steps and running and step <= steps for step, of, running in seen)
    assert read_progress(folder) == []


def test_a_training_that_fails_is_not_told_to_go_on(tmp_path: Path) -> None:
    def fail(point: Any, _: object) -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        trained(school(tmp_path), watch=fail)

    assert read_progress(tmp_path) == []


def test_after_a_kill_the_curve_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*DRIVER, str(school(tmp_path)), str(tiny_folder())], stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    assert process.stdout is not None
    process.stdout.readline()
    while not list((tmp_path / "runs").glob("*/checkpoint.safetensors")):
        time.sleep(0.002)
    process.kill()
    process.communicate()
    left = read_progress(tmp_path)
    seen: list[Progress] = []

    def look(point: Any, _: object) -> None:
        seen.extend(each.progress for each in read_progress(tmp_path))

    lesson = {"epochs": 4}
    trained(tmp_path, QUICK.model_copy(update=lesson), watch=look)

    assert [(each.running, each.progress.workload) for each in left] == [(False, "w")]
    assert seen[0].step >= 1
    assert [point.step for point in seen[-1].points] == [*range(1, seen[-1].step + 1)]
    assert read_progress(tmp_path) == []
