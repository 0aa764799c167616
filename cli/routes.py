"""`nightschool routes`: who answers which share of each workload, since when, and what has changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.cells import harmless
from cli.options import ConfigOption, JsonOption, configured
from cli.screen import Column, console, table_that_fits

if TYPE_CHECKING:
    from nightschool.registry.change import Change
    from nightschool.registry.replicas import ReplicaStates
    from nightschool.registry.routing import RoutingState, Students

_ROUTES = (
    Column("workload", 12),
    Column("who", 9),
    Column("adapter", 20),
    Column("share", 7, right=True),
    Column("ready on", 8, right=True, may_go=2),
    Column("since (UTC)", 16, may_go=1),
    Column("", 12),
)
_CHANGES = (
    Column("time (UTC)", 16),
    Column("workload", 12),
    Column("action", 9),
    Column("author", 10, may_go=1),
    Column("answers after it", 20),
    Column("reason", 20),
)


def routes(
    workload: Annotated[
        str | None, typer.Argument(metavar="[W]", help="Of one workload only.", show_default=False)
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Every change, who made it and why, the newest last.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who answers: the students of each workload, their shares, and the replicas that hold them.

    Examples:

    nightschool routes

    nightschool routes triage --history
    """
    from cli.hands import check_routed
    from nightschool.registry.change import read_history
    from nightschool.registry.replicas import read_replicas
    from nightschool.registry.routing import read_routing

    loaded = configured(config)
    if workload is not None:
        check_routed(loaded, workload)
    if history:
        changes = read_history(loaded.data, workload)
        _print_json(changes) if as_json else _print_changes(changes)
        return
    state, replicas = read_routing(loaded.data), read_replicas(loaded.data)
    if as_json:
        _print_json({"routing": state, "replicas": replicas})
        return
    names = [workload] if workload is not None else [*dict.fromkeys((*loaded.workloads, *state.workloads))]
    gone = frozenset(state.workloads) - frozenset(loaded.workloads)
    _print_routes([(name, state.students_of(name)) for name in names], replicas, gone)
    _print_replicas(replicas, state)


def _print_json(value: Any) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())


def _print_routes(workloads: list[tuple[str, Students]], replicas: ReplicaStates, gone: frozenset[str]) -> None:
    rows = [row for name, students in workloads for row in _rows(name, students, replicas, gone)]
    if not rows:
        print("no workload: name one in the configuration (`nightschool workloads` shows what there is)")
        return
    output = console()
    output.print(table_that_fits(_ROUTES, rows, output.width))


def _rows(name: str, students: Students, replicas: ReplicaStates, gone: frozenset[str]) -> Iterator[list[str]]:
    note = "held" if students.held else ""
    if name in gone:
        note = "not in the configuration: its teacher answers"
    for placed, share in students.shares():
        ready = len(replicas.ready_with(placed.adapter))
        who = "canary" if placed is students.canary else "live"
        yield [
            name,
            who,
            placed.adapter,
            f"{share:g} %",
            f"{ready} of {len(replicas.replicas)}",
            placed.since[:16],
            note,
        ]
        name = note = ""
    for candidate in (students.candidate, students.waiting):
        if candidate is None:
            continue
        who = "qualified" if candidate.qualified else "candidate"
        ready = len(replicas.ready_with(candidate.adapter))
        yield [name, who, candidate.adapter, "0 %", f"{ready} of {len(replicas.replicas)}", "", note]
        name = note = ""
    if not students.answering():
        yield [name, "teacher", "", "100 %", "", "", note]


def _print_replicas(replicas: ReplicaStates, state: RoutingState) -> None:
    if not replicas.replicas:
        if state.wanted():
            print("\nno replica is known to be ready: every teacher answers for itself")
        return
    print()
    for replica in replicas.replicas:
        told = "paused" if replica.paused else "ready" if replica.ready else f"not ready: {replica.why}"
        held = len(replica.adapters)
        print(f"{replica.url}  {harmless(told)}, {held} adapter{'' if held == 1 else 's'}")
        for adapter, fault in replica.faults.items():
            print(f"  {adapter}: {harmless(fault)}")


def _print_changes(changes: list[Change]) -> None:
    if not changes:
        print("nothing has been changed yet")
        return
    output = console()
    rows = [
        [
            change.time[:16].replace("T", " "),
            change.workload,
            change.action,
            change.author,
            _answering(change.after),
            change.reason,
        ]
        for change in changes
    ]
    output.print(table_that_fits(_CHANGES, rows, output.width))


def _answering(students: Students) -> str:
    told = [f"{placed.adapter} {share:g} %" for placed, share in students.shares()]
    return ", ".join(told) or "the teacher"
