"""The library that makes a disk slow for one process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.proxy.slow_disk import slow_disk

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)

_WRITES = """
import os, sys, time
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
begun = time.perf_counter()
os.write(file, b"x"); os.writev(file, [b"y"]); os.pwrite(file, b"z", 2); os.fdatasync(file); os.fsync(file)
print(time.perf_counter() - begun)
"""


def taken_s(path: Path, env: dict[str, str]) -> float:
    command = [sys.executable, "-c", _WRITES, str(path)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=True)
    assert path.read_bytes() == b"xyz"
    return float(done.stdout)


def test_every_write_and_sync_below_the_folder_is_held_up_and_none_elsewhere(tmp_path: Path) -> None:
    data, beside = tmp_path / "data", tmp_path / "beside"
    data.mkdir()
    beside.mkdir()
    env = slow_disk(data, hold_ms=200, folder=tmp_path)

    assert taken_s(data / "file", env) >= 1.0
    assert taken_s(beside / "file", env) < 1.0
