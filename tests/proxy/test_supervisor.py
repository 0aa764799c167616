"""Children that die or cannot be started cost no other child."""

from __future__ import annotations

import gc
import os
import threading

import pytest

from nightschool.stop import Stop
from proxy.supervisor import Child, keep_alive


def open_files() -> int:
    gc.collect()  # what earlier tests have left behind is closed now, or it would be in between
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("name", ["recorder", "worker-1"])
def test_a_child_that_the_system_does_not_start_costs_no_other_and_leaves_nothing_open(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    healthy = Child("worker-0", ["sh", "-c", "sleep 60"])
    healthy.start()
    stop = Stop()
    before = open_files()
    threading.Timer(1.0, stop.request).start()
    try:
        keep_alive([Child(name, ["/no/such/program"]), healthy], stop)

        assert healthy.exit_code() is None
        assert f"child_not_started name={name}" in caplog.text
        assert open_files() <= before
    finally:
        healthy.tell_to_stop()
        healthy.wait(0)
