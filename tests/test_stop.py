"""When a process is to end."""

from __future__ import annotations

import os
import subprocess
import sys

from nightschool.stop import Stop

SIGNALLED_WHILE_IT_WAITS = """
import os, random, signal, threading
from nightschool.stop import Stop

for _ in range(200):
    stop = Stop()
    stop.on_signals()
    threading.Timer(random.uniform(0, 0.003), os.kill, (os.getpid(), signal.SIGTERM)).start()
    stop.wait_long()
print("heard all of them")
"""


def test_a_stop_stays_a_stop() -> None:
    stop = Stop()
    assert not stop()

    stop.request()

    assert (stop(), stop.wait(10), stop()) == (True, True, True)


def test_it_comes_when_the_pipe_of_the_parent_is_closed() -> None:
    reading, writing = os.pipe()
    stop = Stop(reading)
    assert not stop.wait(0.01)

    os.close(writing)

    assert stop.wait(10)
    os.close(reading)


def test_a_signal_is_heard_at_whatever_moment_of_the_wait_it_comes() -> None:
    command = [sys.executable, "-c", SIGNALLED_WHILE_IT_WAITS]
    heard = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)

    assert heard.stdout == "heard all of them\n"
