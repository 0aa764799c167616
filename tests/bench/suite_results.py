"""Results as the suite keeps them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bench.figure import Figure, Measured
from bench.proxy.machine import Machine
from bench.suite.catalog import Benchmark
from bench.suite.result import Kept, Result

MACHINE = Machine(
    processor="Some CPU",
    cores=2,
    memory_bytes=24 << 30,
    kernel="6.1",
    python="3.11",
    proxy_core=0,
    load_cores=[1],
    load_average=0.25,
)


def benchmark(name: str = "store", module: str = "bench.store", *arguments: str) -> Benchmark:
    return Benchmark(name, f"The {name}", module, f"bench-{name}", (), arguments)


def result(
    *figures: Figure, name: str = "store", day: int = 1, code: str = "abc1234", failure: str = "", **other: object
) -> Result:
    given = {
        "benchmark": name,
        "command": f"python -m bench.{name}",
        "code": code,
        "begun": datetime(2026, 11, day, 12, tzinfo=UTC),
        "seconds": 90.0,
        "quick": False,
        "machine": MACHINE,
        "versions": {"duckdb": "2.0"},
        "measured": None if failure else Measured(list(figures)),
        "failure": failure,
    }
    return Result(**{**given, **other})  # type: ignore[arg-type]


def kept_in(folder: Path) -> Kept:
    return Kept(folder / "attempts", folder / "good")
