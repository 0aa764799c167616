"""A build that is killed leaves nothing half-written, and the next one gives what it would have given."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from distill.dataset.snapshot import unfinished
from nightschool.errors import StoreBusy
from tests.distill.dataset.crash_driver import check_again, check_whole, prepare
from tests.distill.dataset.traffic import built

BUILD = (
    "import sys; from pathlib import Path; from tests.distill.dataset.traffic import built; built(Path(sys.argv[1]))"
)


def test_a_kill_before_any_step_in_the_file_system_changes_nothing(tmp_path: Path) -> None:
    driver = [sys.executable, "-m", "tests.distill.dataset.crash_driver", str(tmp_path)]
    done = subprocess.run(driver, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert (outcome["problems"], outcome["last"]) == ([], 0), done.stderr
    assert outcome["steps"] > 12


def test_a_kill_at_any_time_changes_nothing(tmp_path: Path) -> None:
    chance = random.Random(11)
    prepare(tmp_path / "template")
    shutil.copytree(tmp_path / "template", tmp_path / "undisturbed")
    built(tmp_path / "undisturbed")
    for round_number in range(5):
        folder = tmp_path / f"store{round_number}"
        shutil.copytree(tmp_path / "template", folder)
        builder = subprocess.Popen([sys.executable, "-c", BUILD, str(folder)])
        time.sleep(chance.uniform(0.4, 1.5))
        builder.kill()
        builder.wait()
        check_whole(folder)
        check_again(folder, tmp_path / "undisturbed")


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    prepare(tmp_path)

    with unfinished(tmp_path), pytest.raises(StoreBusy, match="another dataset"):
        built(tmp_path)
