"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec

from bench.proxy.cores import Cores
from bench.proxy.process import PROC


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of two machines cannot be compared; their ratios can, with care."""

    processor: str
    cores: int
    memory_bytes: int
    kernel: str
    python: str
    proxy_core: int
    load_cores: list[int]
    load_average: float
    """Of the minute before: what others do here."""


def describe(cores: Cores) -> Machine:
    """The machine this runs on, and how its cores are used."""
    return Machine(
        processor=_processor(PROC / "cpuinfo"),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=platform.release(),
        python=platform.python_version(),
        proxy_core=cores.proxy,
        load_cores=sorted(cores.load),
        load_average=os.getloadavg()[0],
    )


def _processor(cpuinfo: Path) -> str:
    names = (
        line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
    )
    return next(names, platform.machine())
