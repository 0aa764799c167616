"""`nightschool workloads`: what kinds of tasks the traffic consists of, and the rules that would name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cli.log_filter import filter_from
from cli.options import ConfigOption, JsonOption, configured

if TYPE_CHECKING:
    from pathlib import Path

    from distill.workloads.discover import Discovery, Workload


def workloads(
    config: ConfigOption = None,
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Exchanges not before: 12h, 30d, or 2026-11-22.")
    ] = "30d",
    yaml: Annotated[
        str | None, typer.Option("--yaml", metavar="ID", help="Print the lines of YAML that would name this one.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many in the table; --json has all.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """List the kinds of tasks in the traffic, those that no rule names grouped by the template of their prompt.

    An id stays the same while traffic is added. Lines below another one are the few prompts that it consists of.

    Examples:

    nightschool workloads --since 7d

    nightschool workloads --yaml redact-4e66cd82
    """
    if yaml is not None and as_json:
        raise typer.BadParameter("either --yaml or --json, not both")
    window = filter_from(since=since).window
    import msgspec

    from cli.data import data_folder
    from distill.workloads.discover import discover  # DuckDB takes a while to import

    with data_folder(config) as folder:
        found = discover(folder, window)
        if as_json:
            print(msgspec.json.format(msgspec.json.encode(found)).decode())
        elif yaml is not None:
            print(_rule(found.find(yaml)), end="")
        else:
            _print_table(found, limit, _owners(config))


def _owners(config: Path | None) -> dict[str, str]:
    """Group -> the workload that learns from it, too."""
    known = configured(config).workloads
    return {group: name for name, workload in known.items() for group in workload.recorded_as}


def _rule(workload: Workload) -> str:
    from nightschool.errors import StoreError

    if workload.named:
        raise StoreError(
            f"{workload.id} has a name",
            remedy="its rule, if there is one, stands in the configuration; `check` prints it",
        )
    if workload.rule is None:
        raise StoreError(
            f"the prompts of {workload.id} are not recorded, so there is nothing that a rule could look at",
            remedy="set `record.bodies: full`, or name the workload with the header x-nightschool-workload",
        )
    return workload.rule


def _print_table(found: Discovery, limit: int, owners: dict[str, str]) -> None:
    import sys

    from cli.screen import Column, console, table_that_fits

    if not found.workloads:
        print("no exchange with a prompt in this span of time", file=sys.stderr)
        return
    columns = (
        Column("workload", 24),
        Column("exchanges", 9, right=True),
        Column("share", 5, right=True),
        Column("spend", 8, right=True),
        Column("tokens", 17, right=True, may_go=3),
        Column("answers", 9),
        Column("first seen", 10, may_go=2),
        Column("last seen", 10, may_go=1),
        Column("example", 20, may_go=4),
    )
    output = console()
    rows = [row for workload in found.workloads[:limit] for row in _rows(workload, owners)]
    output.print(table_that_fits(columns, rows, output.width))
    for line in _notes(found, limit, owners):
        print(line, file=sys.stderr)


def _rows(workload: Workload, owners: dict[str, str]) -> Iterator[list[str]]:
    """Its line, and one for each of its prompts; of a group, what has come of it stands behind the id."""
    standing = "" if workload.named else _before(workload.id, owners) or " (no rule)"
    yield _cells(workload, f"{workload.id}{standing}")
    for variant in workload.variants:
        yield _cells(variant, f"  {variant.id}{_before(variant.id, owners)}")


def _before(group: str, owners: dict[str, str]) -> str:
    return f" (before {owners[group]})" if group in owners else ""


def _cells(workload: Workload, name: str) -> list[str]:
    from cli.cells import dollars, text

    return [
        name,
        f"{workload.exchanges:,}",
        f"{workload.share:.0%}",
        dollars(workload.spend_usd),
        f"{_amount(workload.prompt_tokens)} → {_amount(workload.completion_tokens)}",
        workload.kind.replace("_", " "),
        workload.first_seen[:10],
        workload.last_seen[:10],
        text(workload.example.question[:500]) if workload.example else "",
    ]


def _amount(count: int | None) -> str:
    """Short enough for a column; a question mark for what is not known."""
    if count is None:
        return "?"
    if count < 100_000:
        return f"{count:,}"
    return f"{count / 1e3:,.0f} k" if count < 10_000_000 else f"{count / 1e6:,.0f} M"


def _notes(found: Discovery, limit: int, owners: dict[str, str]) -> Iterator[str]:
    if len(found.workloads) > limit:
        yield f"and {len(found.workloads) - limit:,} more; -n shows them"
    if found.without_prompt:
        yield f"{found.without_prompt:,} exchanges hold no prompt, and make no workload"
    unnamed = [each for each in found.workloads if not each.named and each.rule and each.id not in owners]
    if unnamed:
        yield f"next: nightschool workloads --yaml {unnamed[0].id}"
