"""A child that dies is started again, later each time it dies young."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from nightschool.child import RESTART_AFTER_S, Child
from tests.waiting import until


def test_the_waits_before_another_start_grow(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    child = Child("short", [sys.executable, "-c", "raise SystemExit(3)"])
    child.start()
    starts = 0
    while starts < 2:
        starts += child.keep_alive()
    until(lambda: child.exit_code() == 3, what="the third death")
    child.keep_alive()
    child.stop(1)

    waits = [float(wait) for wait in re.findall(r"child_died name=short code=3 restart_in_s=(\S+)", caplog.text)]
    assert waits == [*RESTART_AFTER_S[:3]]


def test_one_that_cannot_be_started_again_for_a_while_is_tried_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Too many processes, or its file is just being replaced: that ends nobody who looks after it."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    child = Child("refused", [program])
    child.start()
    assert child.pid is not None
    program.rename(tmp_path / "away")
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: not child.keep_alive() and "child_not_started name=refused" in caplog.text, what="a refusal")
    (tmp_path / "away").rename(program)

    until(child.keep_alive, what="another start")
    assert child.running
    child.stop(1)


def test_one_that_cannot_be_started_at_all_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Child("none", [tmp_path / "none"]).keep_alive()


def test_one_that_was_told_to_stop_has_not_failed() -> None:
    child = Child("long", [sys.executable, "-c", "import time; time.sleep(60)"])
    child.start()
    child.stop(5)

    assert (child.running, child.wait()) == (False, 0)
