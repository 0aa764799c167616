"""Processes of the demo: nothing that it starts outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.child import child_process, last_lines
from demo.engine import ROOT
from tests.waiting import until


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def pid_in(file: Path) -> int:
    until(lambda: file.exists() and file.read_text().strip(), what=f"a pid in {file}")
    return int(file.read_text())


def test_what_a_child_prints_is_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"

    with child_process(["sh", "-c", "echo one; echo two >&2"], log=log, env=os.environ, cwd=tmp_path) as process:
        process.wait()

    assert last_lines(log) == "one\ntwo"


def test_the_children_of_a_child_end_with_it(tmp_path: Path) -> None:
    script = "sleep 1000 & echo $! > grandchild; wait"

    with child_process(["sh", "-c", script], log=tmp_path / "log", env=os.environ, cwd=tmp_path) as process:
        grandchild = pid_in(tmp_path / "grandchild")

    assert ended(process.pid)
    until(lambda: ended(grandchild))


def test_a_child_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo $$ > deaf; while true; do sleep 0.05; done"

    with child_process(
        ["sh", "-c", script], log=tmp_path / "log", env=os.environ, cwd=tmp_path, patience_s=0.2
    ) as process:
        pid_in(tmp_path / "deaf")

    assert process.returncode == -9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of the death of its parent")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, time
from demo.child import child_process
here = pathlib.Path({str(tmp_path)!r})
with child_process(["sleep", "1000"], log=here / "log", env=os.environ, cwd=here) as process:
    (here / "child").write_text(str(process.pid))
    time.sleep(1000)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    child = pid_in(tmp_path / "child")

    parent.kill()
    parent.wait()

    until(lambda: ended(child))
