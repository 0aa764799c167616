"""`nightschool replay`: what recorded traffic would have cost under another configuration, and who would answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.log_filter import SinceOption, UntilOption, WhereOption, filter_from
from cli.options import ConfigOption, JsonOption, configured
from cli.screen import Column, console, table_that_fits

if TYPE_CHECKING:
    import duckdb

    from nightschool.registry.routing import RoutingState
    from proxy.replay.replay import Replay, Totals

_COLUMNS = (
    Column("workload", 12),
    Column("exchanges", 9, right=True),
    Column("students then", 13, right=True, may_go=2),
    Column("students now", 12, right=True),
    Column("cost then", 10, right=True, may_go=1),
    Column("cost now", 10, right=True),
    Column("difference", 10, right=True),
    Column("why", 20, may_go=3),
)


def replay(
    config: ConfigOption = None,
    since: SinceOption = "7d",
    until: UntilOption = None,
    where: WhereOption = None,
    share: Annotated[
        list[str] | None,
        typer.Option(
            "--share", metavar="W=PERCENT", help="As if the newest student of W answered so much; may be repeated."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FOLDER", help="The record, if not that of the configuration.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Route recorded exchanges again, by a configuration that may be another one, and add up what they would cost.

    Rules and prices are those of --config; students those of the routing state, or as --share says, and taken to be
    always there. Costs rest on the tokens that were counted.

    Examples:

    nightschool replay --config new.yaml --since 7d

    nightschool replay --since 30d --share triage=100
    """
    from nightschool.registry.replicas import read_replicas
    from nightschool.registry.routing import read_routing
    from nightschool.store.query import ask
    from proxy.replay.past import read_past
    from proxy.replay.replay import Router
    from proxy.replay.replay import replay as make

    loaded = configured(config)
    folder = data or loaded.data
    routing = _with_shares(read_routing(folder), share or [])
    router = Router(loaded, routing, read_replicas(folder))
    chosen = filter_from(since=since, until=until, where=where)
    condition, values = chosen.condition()

    def question(store: duckdb.DuckDBPyConnection) -> Replay:
        return make(read_past(store, condition, values), router, loaded)

    found = ask(folder, question, chosen.window)
    if as_json:
        _print_json(found)
    else:
        _print(found)


def _with_shares(routing: RoutingState, shares: list[str]) -> RoutingState:
    """As if the newest student that answers, or waits to, had this share."""
    import msgspec

    from nightschool.registry.steps import at_share

    workloads = dict(routing.workloads)
    for told in shares:
        name, equals, text = told.partition("=")
        try:
            share = float(text)
        except ValueError:
            share = -1.0
        if not equals or not 0 <= share <= 100:
            raise typer.BadParameter(f"{told!r} is not of the form W=PERCENT", param_hint="--share")
        before = routing.students_of(name)
        live = before.live
        if before.canary is None and before.candidate is None and live is not None:
            placed = msgspec.structs.replace(live, share=share)
            workloads[name] = msgspec.structs.replace(before, canary=placed, live=None)
        else:
            workloads[name] = at_share(before, share=share, now="")
    return msgspec.structs.replace(routing, workloads=workloads)


def _print(found: Replay) -> None:
    output = console()
    rows = [_row(name or "(none)", totals) for name, totals in sorted(found.workloads.items())]
    if not rows and not found.undecided:
        print("nothing was recorded in that time")
        return
    output.print(table_that_fits(_COLUMNS, rows, output.width))
    for why, count in found.undecided.items():
        print(f"{count:,} exchanges cannot be routed again: {why}")
    if found.header_rules:
        print(f"{found.header_rules} workloads are told by a header, which no record holds: they match nothing here")
    print("costs are over exchanges whose price is known then and now, with the tokens that were counted then;")
    print("students are taken to be always ready, and to fail at nothing", file=sys.stdout)


def _row(name: str, totals: Totals) -> list[str]:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in totals.reasons.most_common(4))
    return [
        name,
        f"{totals.exchanges:,}",
        f"{totals.students_then / totals.exchanges:.0%}",
        f"{totals.students_now / totals.exchanges:.0%}",
        f"${totals.usd_then:,.4f}" if totals.priced else "",
        f"${totals.usd_now:,.4f}" if totals.priced else "",
        f"{totals.usd_now - totals.usd_then:+,.4f}" if totals.priced else "unknown",
        reasons,
    ]


def _print_json(found: Replay) -> None:
    import msgspec

    told: dict[str, Any] = {
        "workloads": [
            {"workload": name or None, **msgspec.to_builtins(totals)}
            for name, totals in sorted(found.workloads.items())
        ],
        "undecided": dict(found.undecided),
        "header_rules": found.header_rules,
    }
    print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
