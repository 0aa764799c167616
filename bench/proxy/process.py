"""What the kernel says about a process: CPU time, resident memory, descendants, cores. Linux only."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

from bench.proxy.failure import BenchFailure

PROC = Path("/proc")
_CPUCLOCK_SCHED = 2


class ProcessGone(BenchFailure):
    """A process that is measured has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(f"process {pid} ended while it was being measured")


class Stat(NamedTuple):
    """The fields of ``/proc/PID/stat`` that are needed here."""

    name: str
    state: str
    parent: int
    begun: int
    """Clock ticks after the machine's start; with the process id it tells a process from any later one."""


def parse_stat(text: str) -> Stat:
    """The name stands in parentheses and may itself hold parentheses and spaces."""
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return Stat(name, state=fields[0], parent=int(fields[1]), begun=int(fields[19]))


def parse_status(text: str) -> dict[str, str]:
    """``/proc/PID/status`` by field; values keep their unit, e.g. ``'1234 kB'``."""
    lines = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, _, value in lines}


def cpu_s(pid: int) -> float:
    """User and system time of all threads, those that ended too, in seconds.

    This is the process's CPU clock (``clock_getcpuclockid``): nanoseconds, where ``/proc/PID/stat`` counts ticks of
    10 ms.
    """
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        raise ProcessGone(pid) from None


def resident_bytes(pid: int) -> int:
    """VmRSS."""
    return _bytes(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """VmHWM: the most that was ever resident."""
    return _bytes(pid, "VmHWM")


def _bytes(pid: int, name: str) -> int:
    try:
        size, unit = parse_status((PROC / str(pid) / "status").read_text())[name].split()
    except (OSError, KeyError):  # a zombie has a status, but no memory
        raise ProcessGone(pid) from None
    assert unit == "kB", f"{name} is given in {unit}"
    return int(size) * 1024


def begun(pid: int) -> int | None:
    """When the process began; None when it has ended."""
    try:
        stat = parse_stat((PROC / str(pid) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if stat.state == "Z" else stat.begun


def command_line(pid: int) -> list[str]:
    """The arguments the process was started with."""
    return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")


def descendants(pid: int) -> list[int]:
    """Children, their children and so on, oldest first, without ``pid`` itself and without zombies."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = parse_stat((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):  # ended since the folder was listed
                continue
            if stat.state != "Z":
                parents[int(entry.name)] = stat.parent
    found: set[int] = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {pid})


def pin(pid: int, cores: set[int]) -> None:
    """Keep every thread of ``pid`` on ``cores``; threads started later inherit it."""
    for task in (PROC / str(pid) / "task").iterdir():
        os.sched_setaffinity(int(task.name), cores)
