"""1 to 200 workloads, and 1 to 50 adapters in the routing state: what a decision costs, and to take a change over."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from bench.growth.curve import Curve
from bench.routing import WORKLOADS, Ask, ask_for, config_of, per_decision_us, registered_for, runtime_of
from nightschool.registry import replicas, routing
from nightschool.registry.replicas import write_replicas
from nightschool.registry.routing import RoutingState, registry_of
from nightschool.store import wal
from proxy.callers import Callers
from proxy.journal import Journal, JournalSettings
from proxy.metrics import Metrics
from proxy.runtime import Runtime
from proxy.students.registry import Registered, Registry

WORKLOAD_LEVELS = (1, 3, 10, 30, 100, 200)
ADAPTER_LEVELS = (1, 2, 5, 10, 20, 50)
DECISIONS = 2_000
ROUNDS = 7
TAKE_OVERS = 15


def workload_curves(folder: Path, say: Callable[[str], None], levels: Sequence[int] = WORKLOAD_LEVELS) -> list[Curve]:
    """The request belongs to the last workload, so that every rule is tried; all have two students."""
    found = []
    for count in levels:
        say(f"{count} workloads")
        ask = ask_for("last", count - 1)
        runtime = runtime_of(config_of(count), _journal(folder), registered_for([ask], count))
        found.append((float(count), _decision_us(runtime, ask)))
    return [
        Curve(
            part="workloads",
            what="a decision, the last rule matching",
            over="workloads",
            unit="µs",
            expected=1.0,
            points=found,
        )
    ]


def adapter_curves(folder: Path, say: Callable[[str], None], levels: Sequence[int] = ADAPTER_LEVELS) -> list[Curve]:
    """One live adapter for each workload, of 50 in the configuration; the request belongs to the first."""
    decisions, changes = [], []
    ask, config = ask_for("first", 0), config_of(max(WORKLOADS, *levels))
    for count in levels:
        say(f"{count} adapters")
        registered = _live_only(registered_for([ask], count))
        runtime = runtime_of(config, _journal(folder), registered)
        decisions.append((float(count), _decision_us(runtime, ask)))
        changes.append((float(count), _take_over_ms(folder / f"{count}", runtime, registered)))
    common = {"part": "adapters", "over": "adapters in the routing state"}
    return [
        Curve(**common, what="a decision for a student", unit="µs", expected=0.0, points=decisions),
        Curve(**common, what="taking over a changed state", unit="ms", expected=1.0, points=changes),
    ]


def _live_only(registered: Registered) -> Registered:
    workloads = {
        name: msgspec.structs.replace(students, canary=None) for name, students in registered.routing.workloads.items()
    }
    return registered._replace(routing=RoutingState(revision=1, workloads=workloads))


def _decision_us(runtime: Runtime, ask: Ask) -> float:
    return statistics.median(per_decision_us(runtime, ask.body, DECISIONS) for _ in range(ROUNDS))


def _take_over_ms(data: Path, runtime: Runtime, registered: Registered) -> float:
    """From the look that finds the file changed to a runtime that is ready to be used."""
    write_replicas(data, registered.replicas)
    registry = Registry(data, lambda _file, _result: None)
    taken = []
    for revision in range(TAKE_OVERS):
        state = msgspec.structs.replace(registered.routing, revision=revision + 1)
        path = registry_of(data) / routing.FILE
        path.with_suffix(".new").write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=1))
        path.with_suffix(".new").replace(path)
        started = time.perf_counter()
        said = registry.look()
        assert said is not None, f"{routing.FILE} and {replicas.FILE} have changed, and nobody saw it"
        runtime = Runtime(
            runtime.config,
            journal=runtime.journal,
            callers=Callers(b"s" * 32),
            metrics=Metrics(),
            registered=said,
            before=runtime,
        )
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)


def _journal(folder: Path) -> Journal:
    return Journal(folder, wal.Header, JournalSettings(fsync="off"))
