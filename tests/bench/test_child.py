"""What the bench starts, it ends."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bench.proxy.child import Child
from bench.proxy.cores import Cores, divide
from bench.proxy.failure import BenchFailure
from bench.proxy.process import begun

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to cores")

_STUBBORN = """
import signal, subprocess, sys, time
ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", ignore], start_new_session=True)
time.sleep(60)
"""


def test_a_child_is_ended_with_what_it_has_started_however_deaf(tmp_path: Path) -> None:
    with Child([sys.executable, "-c", _STUBBORN], cores=os.sched_getaffinity(0), log=tmp_path / "child.log") as child:
        child.wait_for("deaf", within_s=20)
        [grandchild] = child.descendants()

    end = time.monotonic() + 10
    while begun(grandchild) is not None and time.monotonic() < end:
        time.sleep(0.02)
    assert begun(child.pid) is None
    assert begun(grandchild) is None


def test_a_child_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such upstream')"]
    with (
        Child(command, cores=os.sched_getaffinity(0), log=tmp_path / "child.log") as child,
        pytest.raises(BenchFailure, match=r"child ended with code 1:\nno such upstream"),
    ):
        child.wait_for("listening", within_s=20)


def test_a_child_runs_on_its_cores_and_the_bench_on_all_as_before(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    core = max(before)
    with Child([sys.executable, "-c", "input()"], cores={core}, log=tmp_path / "child.log", pipes=True) as child:
        assert os.sched_getaffinity(child.pid) == {core}
    assert os.sched_getaffinity(0) == before


def test_the_proxy_gets_a_core_for_itself_unless_there_is_only_one() -> None:
    assert divide({2, 3, 5}) == Cores(proxy=2, load={3, 5})
    assert divide({4}) == Cores(proxy=4, load={4})
    assert divide({0, 1, 2, 3}).for_workers(2) == [0, 3]
