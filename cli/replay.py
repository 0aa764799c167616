"""`nightschool replay`: what recorded traffic would have cost under another configuration, and who would answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cli.log_filter import SinceOption, UntilOption, WhereOption, filter_from
from cli.options import ConfigOption, JsonOption, configured
from cli.screen import Column, console, progress_bar, table_that_fits

if TYPE_CHECKING:
    import duckdb

    from nightschool.config import Config
    from nightschool.registry.routing import RoutingState, Students
    from proxy.replay.past import Past
    from proxy.replay.replay import Totals
    from proxy.replay.supposed import Since

AS_ROUTED = "as-routed"
RESTS_ON = (
    "students are taken to be always ready and never to fail",
    "costs are sums over the exchanges whose cost is known both then and now",
    "they rest on the tokens that were counted then, and every model counts others",
)
_COLUMNS = (
    Column("workload", 12),
    Column("exchanges", 9, right=True),
    Column("students then", 13, right=True, may_go=3),
    Column("students now", 12, right=True),
    Column("cost then", 10, right=True, may_go=2),
    Column("cost now", 10, right=True),
    Column("difference", 10, right=True),
    Column("undecidable", 11, right=True, may_go=1),
    Column("why now", 20, may_go=4),
)
_REASONS_SHOWN = 4
_STEP_ROWS = 2_000


class Other(NamedTuple):
    """A student that is supposed to answer: ``W=ADAPTER:SHARE``, or ``W=SHARE`` without an adapter."""

    workload: str
    adapter: str | None
    share: float


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
    adapters: Annotated[
        list[str] | None,
        typer.Option(
            "--adapters",
            metavar="W=A:PERCENT",
            help="As if adapter A of W (or a piece of its name) answered so much; may be repeated. `as-routed`: the "
            "students that were in force when each exchange came.",
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

    Rules and prices are those of --config; students those of the routing state in force, unless --share or --adapters
    says otherwise, and taken to be always there. Costs rest on the tokens that were counted.

    Examples:

    nightschool replay --config new.yaml --since 7d

    nightschool replay --since 30d --share triage=100

    nightschool replay --adapters triage=4f2c:25
    """
    from nightschool.registry.replicas import read_replicas
    from nightschool.store.query import ask
    from proxy.replay.past import count_past, read_past
    from proxy.replay.replay import replay as make
    from proxy.replay.router import Router
    from proxy.replay.supposed import Supposed

    loaded = configured(config)
    folder = data or loaded.data
    states = _states(loaded, folder, shares=share or [], adapters=adapters or [])
    router = Router(loaded, Supposed(loaded, states, read_replicas(folder)))
    chosen = filter_from(since=since, until=until, where=where)
    condition, values = chosen.condition()

    def question(store: duckdb.DuckDBPyConnection) -> dict[str, Totals]:
        rows = count_past(store, condition, values)
        return make(_shown(read_past(store, condition, values), rows), router)

    found = ask(folder, question, chosen.window)
    if as_json:
        _print_json(found)
    else:
        _print(found)


def _shown(past: Iterator[Past], rows: int) -> Iterator[Past]:
    with progress_bar("routing again", rows) as bar:
        for number, each in enumerate(past):
            if number % _STEP_ROWS == 0:
                bar(number)
            yield each


def _states(config: Config, data: Path, *, shares: list[str], adapters: list[str]) -> list[Since]:
    from nightschool.registry.change import read_history
    from nightschool.registry.routing import read_routing
    from proxy.replay.supposed import always, as_routed

    state = read_routing(data)
    if AS_ROUTED in adapters:
        if shares or len(adapters) > 1:
            raise typer.BadParameter("as-routed goes with no other students", param_hint="--adapters")
        return as_routed(state, read_history(data))
    others = [_other(told, "--share") for told in shares] + [_other(told, "--adapters") for told in adapters]
    for other in others:
        state = _with(config, data, state, other)
    return always(state)


def _other(told: str, option: str) -> Other:
    workload, equals, rest = told.partition("=")
    adapter, colon, text = rest.rpartition(":")
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    form = "W=PERCENT" if option == "--share" else "W=ADAPTER:PERCENT"
    if not equals or bool(colon and adapter) != (option == "--adapters") or not 0 <= share <= 100:
        raise typer.BadParameter(f"{told!r} is not of the form {form}, with 0 to 100 per cent", param_hint=option)
    return Other(workload, adapter or None, share)


def _with(config: Config, data: Path, state: RoutingState, other: Other) -> RoutingState:
    import msgspec

    from cli.hands import check_known
    from proxy.replay.supposed import with_adapter, with_share

    check_known(config, other.workload)
    before = state.students_of(other.workload)
    if other.adapter is None:
        after = with_share(before, other.share)
    else:
        adapter, prompts = _adapter(data, other.workload, before, other.adapter)
        after = with_adapter(before, adapter, share=other.share, fingerprints=prompts)
    return msgspec.structs.replace(state, workloads={**state.workloads, other.workload: after})


def _adapter(data: Path, workload: str, students: Students, piece: str) -> tuple[str, tuple[str, ...]]:
    """Its name, and the prompts it is qualified on; those it has learned, where no gate has let it pass."""
    from distill.dataset.prompts import learned_prompts
    from nightschool.registry.adapters import find_adapter
    from proxy.replay.supposed import qualified_prompts

    qualified = qualified_prompts(students, piece)
    if len(qualified) == 1:
        return next(iter(qualified.items()))
    adapter = find_adapter(data, workload, piece)
    if adapter.name in qualified:
        return adapter.name, qualified[adapter.name]
    return adapter.name, learned_prompts(data, workload, adapter.dataset.name)


def _print(found: dict[str, Totals]) -> None:
    from proxy.replay.replay import total

    if not found:
        print("nothing was recorded in that time")
        return
    whole = total(found.values())
    rows = [_row(name or "(none)", totals) for name, totals in sorted(found.items())]
    if len(rows) > 1:
        rows.append(_row("all", whole))
    output = console()
    output.print(table_that_fits(_COLUMNS, rows, output.width))
    for line in _notes(whole):
        print(line)
    for line in RESTS_ON:
        print(line)


def _row(name: str, totals: Totals) -> list[str]:
    return [
        name,
        f"{totals.exchanges:,}",
        _share(totals.students_then, totals.exchanges),
        _share(totals.students_now, totals.exchanges),
        f"${totals.usd_then:,.4f}" if totals.priced else "unknown",
        f"${totals.usd_now:,.4f}" if totals.priced else "unknown",
        f"{totals.usd_difference:+,.4f}" if totals.priced else "unknown",
        f"{totals.undecidable.total():,}" if totals.undecidable else "",
        _counted(totals.reasons_now),
    ]


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.most_common(_REASONS_SHOWN))


def _notes(whole: Totals) -> Iterator[str]:
    """What is not in the table, of all workloads together."""
    for why, count in whole.undecidable.most_common():
        yield f"undecidable, {count:,}: {why}"
    for why, count in whole.unpriced.most_common():
        yield f"in no cost, {count:,}: {why}"
    if whole.estimated:
        yield (
            f"an estimate, ${whole.usd_estimated:,.4f} of the cost now: of {whole.estimated:,} that change between "
            "teacher and student"
        )
    if whole.moved:
        yield f"of another workload than then, {whole.moved:,}"
    if whole.fallbacks_then:
        asked = whole.students_then + whole.fallbacks_then
        rate = whole.fallbacks_then / asked
        yield f"students failed then at {whole.fallbacks_then:,} of {asked:,} ({rate:.1%}): that is not applied"


def _print_json(found: dict[str, Totals]) -> None:
    import msgspec

    from proxy.replay.replay import total

    told: dict[str, Any] = {
        "workloads": [{"workload": name or None, **_told(totals)} for name, totals in sorted(found.items())],
        "total": _told(total(found.values())),
        "rests_on": RESTS_ON,
    }
    print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())


def _told(totals: Totals) -> dict[str, Any]:
    """Costs are null where none is known both ways: not known is not zero."""
    priced = totals.priced > 0
    told = {**vars(totals), "usd_difference": totals.usd_difference}
    return {name: value if priced or not name.startswith("usd_") else None for name, value in told.items()}
