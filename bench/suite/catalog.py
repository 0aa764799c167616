"""The benchmarks: how each is run, and what it needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from typing import NamedTuple

from bench.distill import trl_python
from demo.engine import why_missing


class Benchmark(NamedTuple):
    """A module that writes its figures to the file after ``--json``."""

    name: str
    title: str
    module: str
    make: str
    """The target of the Makefile that runs it alone."""
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    """More arguments, for a run that shows only that everything works."""
    engine: bool = False
    """It needs the engine and the model of `make model`."""
    trl: bool = False
    """It needs `make install-trl`."""
    picture: str = ""
    """That it draws, seen from the document."""

    def missing(self) -> str:
        """Why it cannot be run here; empty when it can."""
        if importlib.util.find_spec(self.module) is None:
            return f"there is no module {self.module}"
        if self.engine and (why := why_missing()) is not None:
            return f"{why}; make model"
        if self.trl and (why := trl_python.why_missing()) is not None:
            return why
        return ""


ALL = (
    Benchmark(
        "proxy",
        "The proxy beside its peers",
        "bench.proxy",
        "bench-peers",
        ("--peers", "all"),
        ("--quick",),
    ),
    Benchmark(
        "routing", "Who answers: the cost of deciding", "bench.routing", "bench-routing", (), ("--decisions", "100")
    ),
    Benchmark("store", "The store, a million exchanges", "bench.store", "bench-store", (), ("--rows", "5000")),
    Benchmark(
        "console",
        "The console over a million exchanges",
        "bench.console",
        "bench-console",
        (),
        ("--rows", "5000", "--rounds", "1"),
    ),
    Benchmark(
        "dataset", "A million exchanges into a dataset", "bench.dataset", "bench-dataset", (), ("--rows", "5000")
    ),
    Benchmark("gate", "The gate, simulated", "bench.gate", "bench-gate", (), ("--runs", "100")),
    Benchmark(
        "growth",
        "How cost grows",
        "bench.growth",
        "bench-growth",
        ("--png", "docs/growth.png"),
        ("--most-rows", "10000", "--png", "bench/.work/growth.png"),
        picture="../docs/growth.png",
    ),
    Benchmark("soak", "Half an hour of faults", "bench.soak", "soak", ("--minutes", "30"), ("--minutes", "0.5")),
    Benchmark(
        "adapters",
        "Adapters that come and go under load",
        "bench.adapters",
        "bench-adapters",
        (),
        ("--requests", "100"),
        engine=True,
    ),
    Benchmark("two-nights", "Two workloads, a night each", "bench.two_nights", "bench-two-nights", engine=True),
    Benchmark(
        "training",
        "Training beside TRL",
        "bench.distill.speed",
        "bench-training",
        (),
        ("--rounds", "1", "--rows", "16"),
        trl=True,
    ),
    Benchmark("distill", "What students learn, against the truth", "bench.distill", "bench-distill", ("--table",)),
)
"""In the order of the document. Of the last one only the runs that there are: all of them together take days."""


def chosen(only: Collection[str], skip: Collection[str]) -> list[Benchmark]:
    """Those named, or all, without those to skip."""
    return [each for each in ALL if (not only or each.name in only) and each.name not in skip]
