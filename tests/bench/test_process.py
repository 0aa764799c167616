"""Reading /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from bench.proxy.process import (
    ProcessGone,
    Stat,
    begun,
    command_line,
    cpu_s,
    descendants,
    parse_stat,
    parse_status,
    pin,
    resident_bytes,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_SPIN = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\ntime.sleep(60)"
_STAT = "4711 (a (very) odd) name) S 17 4711 4711 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 200 rest"


def test_a_process_name_with_parentheses_and_spaces_does_not_shift_the_fields() -> None:
    assert parse_stat(_STAT) == Stat("a (very) odd) name", state="S", parent=17, begun=98765)


def test_status_is_read_by_field_with_its_unit() -> None:
    assert parse_status("Name:\tpython\nVmRSS:\t    1234 kB\n") == {"Name": "python", "VmRSS": "1234 kB"}


def test_cpu_time_of_another_process_counts_what_it_used_and_not_its_sleep() -> None:
    with subprocess.Popen([sys.executable, "-c", _SPIN]) as child:
        try:
            end = time.monotonic() + 20
            while cpu_s(child.pid) < 0.2 and time.monotonic() < end:
                time.sleep(0.02)
            used = cpu_s(child.pid)
            time.sleep(0.3)

            assert 0.2 <= used < 2
            assert cpu_s(child.pid) - used < 0.2
        finally:
            child.kill()


def test_a_child_is_a_descendant_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        try:
            assert child.pid in descendants(os.getpid())
            assert command_line(child.pid)[1:] == ["-c", "import time; time.sleep(60)"]
            assert begun(child.pid) is not None
        finally:
            child.kill()

    assert child.pid not in descendants(os.getpid())
    assert begun(child.pid) is None
    with pytest.raises(ProcessGone, match=f"process {child.pid} ended"):
        cpu_s(child.pid)
    with pytest.raises(ProcessGone):
        resident_bytes(child.pid)


def test_this_process_has_a_plausible_size() -> None:
    assert 5e6 < resident_bytes(os.getpid()) < 5e9


def test_pinning_keeps_a_process_on_its_core() -> None:
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        try:
            pin(child.pid, {core})

            assert os.sched_getaffinity(child.pid) == {core}
        finally:
            child.kill()
