"""What a crash leaves behind: nothing lost, nothing twice, and nothing in the way of the next start."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from nightschool.store.absorb import absorb, clear_absorbed, finished_logs
from nightschool.store.manifest import prepare_folder
from tests.store.logs import NOON_US, exchange, ids, text_id, write_log


def test_a_kill_before_any_step_in_the_file_system_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The driver tries every step of absorbing, retention, merging and sweeping."""
    driver = [sys.executable, "-m", "tests.store.crash_driver", str(tmp_path)]
    done = subprocess.run(driver, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["problems"] == [], done.stderr
    assert outcome["last"] == 0
    assert outcome["steps"] > 40


def test_a_recorder_killed_at_any_time_loses_and_doubles_nothing(tmp_path: Path) -> None:
    chance = random.Random(7)
    prepare_folder(tmp_path)
    acknowledged: list[str] = []
    for round_number in range(6):
        for log in range(4):
            numbers = range(len(acknowledged), len(acknowledged) + 50)
            write_log(tmp_path, [exchange(NOON_US + n, n) for n in numbers], f"{round_number}-{log}")
            acknowledged += [text_id(NOON_US + n, n) for n in numbers]
        recorder = subprocess.Popen(
            [sys.executable, "-m", "proxy.recorder", str(tmp_path), "--once"], stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.3, 1.2))
        recorder.kill()
        recorder.wait()
        assert ids(tmp_path) == acknowledged

    clear_absorbed(tmp_path)
    absorb(tmp_path, finished_logs(tmp_path))
    assert ids(tmp_path) == acknowledged
    assert list((tmp_path / "wal").iterdir()) == []
