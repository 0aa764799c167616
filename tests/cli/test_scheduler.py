"""`nightschool scheduler` as a person starts it: its jobs are the commands of this very installation."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

from distill.schedule.due import write_served
from tests.running import config_for, write_config
from tests.waiting import until

NIGHTSCHOOL = Path(sys.executable).with_name("nightschool")


def test_a_night_is_the_command_that_a_person_could_type_and_its_refusal_is_news(tmp_path: Path) -> None:
    rules = {"w": {"when": {"path": "*"}, "distill": {"schedule": "0 2 * * *"}}}
    config = write_config(tmp_path, config_for("http://127.0.0.1:9/v1", workloads=rules))
    write_served(tmp_path / "data", {"w": datetime.now().astimezone() - timedelta(days=2)})
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([NIGHTSCHOOL, "scheduler", "--config", config], stdout=file, stderr=file)
    try:
        until(lambda: "notification event=failure nightschool: the night of w failed" in log.read_text(), what="news")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()

    assert "night w | nightschool: " in log.read_text()
    assert "base_model" in log.read_text()


def test_without_a_configuration_it_says_what_to_do(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "NIGHTSCHOOL_CONFIG"}
    ended = subprocess.run(
        [NIGHTSCHOOL, "scheduler", "--config", tmp_path / "no.yaml"],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
    )

    assert ended.returncode == 1
    assert "no.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr
