"""A child that dies is started again, later each time it dies young."""

from __future__ import annotations

import logging
import re
import sys

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


def test_one_that_was_told_to_stop_has_not_failed() -> None:
    child = Child("long", [sys.executable, "-c", "import time; time.sleep(60)"])
    child.start()
    child.stop(5)

    assert (child.running, child.wait()) == (False, 0)
