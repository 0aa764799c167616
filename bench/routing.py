"""What it costs to decide who answers, with 50 workloads that all have students, beside rules alone.

    python -m bench.routing [--decisions N] [--json FILE]

Each decision is that of a request of its own, as a worker makes it: the body is read as far as the rules ask. The
workload is told by the system prompt (a regular expression), and the matching one is the first, the middle, or the last
of the 50. By turns with students and without, so that a busy machine weighs on both alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.figure import Figure, Spread, add_json_option, write_figures
from nightschool.config import Config
from nightschool.registry.replicas import ReplicaState, ReplicaStates
from nightschool.registry.routing import Placed, RoutingState, Students
from nightschool.store import wal
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import read_request
from proxy.callers import Callers
from proxy.control import NOTHING_SAID
from proxy.facts import RequestFacts
from proxy.journal import Journal, JournalSettings
from proxy.metrics import Metrics
from proxy.runtime import Runtime
from proxy.students.registry import NOTHING, Registered

WORKLOADS = 50
REPLICAS = tuple(f"http://gpu-{number}:8000" for number in range(8))
TARGET_US = 100.0
ROUNDS = 7


class Ask(NamedTuple):
    """A kind of request."""

    name: str
    body: bytes


def main() -> int:
    arguments = _parse()
    asks = [
        ask_for(name, number) for name, number in (("first", 0), ("middle", WORKLOADS // 2), ("last", WORKLOADS - 1))
    ]
    asks += [ask_for("last, 20 turns", WORKLOADS - 1, turns=20)]
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), wal.Header, JournalSettings(fsync="off"))
        config = config_of(WORKLOADS)
        said = {
            "students": runtime_of(config, journal, registered_for(asks, WORKLOADS)),
            "rules": runtime_of(config, journal, NOTHING),
        }
        rows = []
        for ask in asks:
            taken: dict[str, list[float]] = {name: [] for name in said}
            for _ in range(ROUNDS):
                for name, runtime in said.items():
                    taken[name].append(per_decision_us(runtime, ask.body, arguments.decisions))
            rows.append((ask.name, taken))
    _print([(name, {who: statistics.median(each) for who, each in taken.items()}) for name, taken in rows])
    write_figures(arguments.json, [figure for name, taken in rows for figure in _figures(name, taken)])
    return 0


def _figures(name: str, taken: dict[str, list[float]]) -> Iterator[Figure]:
    """Students, and what they add to rules alone, round by round."""
    students, rules = taken["students"], taken["rules"]
    middle = statistics.median(students)
    title = f"decision with {WORKLOADS} workloads that have students, {name}"
    target = f"<= {TARGET_US:.0f} µs"
    yield Figure(title, f"{middle:.1f} µs", target, middle <= TARGET_US, spread=Spread.of(students))
    ratios = [one / other for one, other in zip(students, rules, strict=True)]
    yield Figure(f"  beside rules alone, {name}", f"{statistics.median(ratios):.2f} x", spread=Spread.of(ratios))


def per_decision_us(runtime: Runtime, body: bytes, decisions: int) -> float:
    """CPU of this thread."""
    begin = time.thread_time_ns()
    for _ in range(decisions):
        runtime.route(RequestFacts("/chat/completions", {}, body, header_tags={}, deployment=None), NOTHING_SAID)
    return (time.thread_time_ns() - begin) / 1000 / decisions


def config_of(count: int) -> Config:
    """So many workloads, each told by its system prompt."""
    workloads = {f"task-{n}": {"when": {"system_prompt": f"^You do task {n}\\b"}} for n in range(count)}
    return Config.model_validate({"upstreams": {"main": {"base_url": "http://127.0.0.1:9/v1"}}, "workloads": workloads})


def runtime_of(config: Config, journal: Journal, registered: Registered) -> Runtime:
    """As a worker has it."""
    return Runtime(config, journal=journal, callers=Callers(b"s" * 32), metrics=Metrics(), registered=registered)


def registered_for(asks: list[Ask], workloads: int) -> Registered:
    """For so many workloads: a canary and a live student everywhere, qualified on twenty prompts, on eight replicas."""
    known = tuple(
        found
        for ask in asks
        if (body := read_request(ask.body)) is not None and (found := fingerprint(body)) is not None
    )
    prompts = (*known, *(f"{number:032x}" for number in range(20)))
    students = {
        f"task-{n}": Students(
            canary=Placed(adapter=f"task-{n}--{n:012x}", share=25, fingerprints=prompts, since=""),
            live=Placed(adapter=f"task-{n}--{n + 1000:012x}", share=100, fingerprints=prompts, since=""),
        )
        for n in range(workloads)
    }
    held = tuple(each.adapter for one in students.values() for each in one.answering())
    replicas = tuple(ReplicaState(url=url, ready=True, max_model_len=8192, adapters=held) for url in REPLICAS)
    return Registered(RoutingState(revision=1, workloads=students), ReplicaStates(replicas=replicas))


def ask_for(name: str, number: int, *, turns: int = 1) -> Ask:
    """A request of the workload of that number."""
    spoken = [
        message
        for turn in range(turns)
        for message in (
            {"role": "user", "content": f"What of {turn}? " + "And so on. " * 20},
            {"role": "assistant", "content": "This. " * 30},
        )
    ][:-1]
    messages = [{"role": "system", "content": f"You do task {number}. Be brief. " + "Mind this. " * 40}, *spoken]
    return Ask(name, json.dumps({"model": "gpt-4o", "messages": messages, "temperature": 0}).encode())


def _print(rows: list[tuple[str, dict[str, float]]]) -> None:
    table = Table("matching workload", "rules alone, µs", "with students, µs", "ratio", f"target {TARGET_US:.0f} µs")
    for name, taken in rows:
        rules, students = taken["rules"], taken["students"]
        met = "met" if students <= TARGET_US else "MISSED"
        table.add_row(name, f"{rules:.1f}", f"{students:.1f}", f"{students / rules:.2f}", met)
    Console(width=100).print(table)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.routing", description=__doc__)
    parser.add_argument("--decisions", type=int, default=2_000, metavar="N", help="a round (default 2,000)")
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
