"""The benchmarks: how each is run, and what it needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from typing import NamedTuple

from bench.distill import trl_python
from demo.engine import why_missing

_ALL_RUN = ("nightschool", "pyproject.toml", "bench/figure.py")
_STORE = ("bench/store.py", "bench/synthetic.py")
_PROXY = ("proxy", "cli/proxy.py", "bench/proxy")


class Benchmark(NamedTuple):
    """A module that writes its figures to the file after ``--json``."""

    name: str
    title: str
    module: str
    make: str
    """The target of the Makefile that runs it alone."""
    runs: tuple[str, ...]
    """Files and folders of the project that it runs, besides those that all run."""
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    """More arguments, for a run that shows only that everything works."""
    engine: bool = False
    """It needs the engine and the model of `make model`."""
    trl: bool = False
    """It needs `make install-trl`."""
    picture: str = ""
    """That it draws, seen from the document."""

    @property
    def measures(self) -> tuple[str, ...]:
        """What its figures depend on: a change of anything else leaves them as they are."""
        return (*_ALL_RUN, *self.runs)

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
        "proxy", "The proxy beside its peers", "bench.proxy", "bench-peers", _PROXY, ("--peers", "all"), ("--quick",)
    ),
    Benchmark(
        "routing",
        "Who answers: the cost of deciding",
        "bench.routing",
        "bench-routing",
        ("proxy", "bench/routing.py"),
        quick=("--decisions", "100"),
    ),
    Benchmark(
        "store",
        "The store, a million exchanges",
        "bench.store",
        "bench-store",
        ("proxy", *_STORE),
        quick=("--rows", "5000"),
    ),
    Benchmark(
        "console",
        "The console over a million exchanges",
        "bench.console",
        "bench-console",
        (*_PROXY, "console", "cli/console.py", "bench/console.py", *_STORE),
        quick=("--rows", "5000", "--rounds", "1"),
    ),
    Benchmark(
        "dataset",
        "A million exchanges into a dataset",
        "bench.dataset",
        "bench-dataset",
        ("distill", "bench/dataset.py", *_STORE),
        quick=("--rows", "5000"),
    ),
    Benchmark(
        "gate",
        "The gate, simulated",
        "bench.gate",
        "bench-gate",
        ("distill/gate", "bench/gate.py"),
        quick=("--runs", "100"),
    ),
    Benchmark(
        "growth",
        "How cost grows",
        "bench.growth",
        "bench-growth",
        (*_PROXY, "cli/status.py", "bench/growth", "bench/routing.py", *_STORE),
        ("--png", "docs/growth.png"),
        ("--most-rows", "10000", "--png", "bench/.work/growth.png"),
        picture="../docs/growth.png",
    ),
    Benchmark(
        "soak",
        "Half an hour of faults",
        "bench.soak",
        "soak",
        (*_PROXY, *_STORE, "demo/upstream", "demo/scripted_upstream.py", "bench/soak"),
        ("--minutes", "30"),
        ("--minutes", "0.5"),
    ),
    Benchmark(
        "adapters",
        "Adapters that come and go under load",
        "bench.adapters",
        "bench-adapters",
        ("demo", "bench/adapters.py"),
        quick=("--requests", "100"),
        engine=True,
    ),
    Benchmark(
        "two-nights",
        "Two workloads, a night each",
        "bench.two_nights",
        "bench-two-nights",
        (*_PROXY, "distill", "serve", "cli", "demo", "bench/distill", "bench/two_nights.py"),
        engine=True,
    ),
    Benchmark(
        "training",
        "Training beside TRL",
        "bench.distill.speed",
        "bench-training",
        ("distill/train", "demo", "bench/proxy", "bench/distill"),
        quick=("--rounds", "1", "--rows", "16"),
        trl=True,
    ),
    Benchmark(
        "distill",
        "What students learn, against the truth",
        "bench.distill",
        "bench-distill",
        ("distill", "demo", "bench/proxy", "bench/distill"),
        ("--table",),
    ),
)
"""In the order of the document. Of the last one only the runs that there are: all of them together take days."""


def chosen(only: Collection[str], skip: Collection[str]) -> list[Benchmark]:
    """Those named, or all, without those to skip."""
    return [each for each in ALL if (not only or each.name in only) and each.name not in skip]
