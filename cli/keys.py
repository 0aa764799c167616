"""`nightschool keys`: keys for the clients of the proxy, and what each may do and has spent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, configured
from nightschool.errors import NightschoolError

if TYPE_CHECKING:
    from nightschool.config import ClientConfig
    from nightschool.store.spend import Spent

keys_app = typer.Typer(help="Keys for those who may use the proxy.", no_args_is_help=True)


class UnfitName(NightschoolError):
    """A client cannot be called that."""


@keys_app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The client's name, as in the file and in the record.")],
    as_json: JsonOption = False,
) -> None:
    """Make a key for a client: it is printed once and kept nowhere; its hash belongs into the configuration.

    Example: nightschool keys new checkout-service
    """
    from nightschool.client_key import hash_of, new_key

    _check(name)
    key = new_key()
    key_hash = hash_of(key.encode())
    if as_json:
        typer.echo(json.dumps({"client": name, "key": key, "key_hash": key_hash}, indent=2))
        return
    typer.echo(f"# the key of {name}, shown this once; it is the API key of its application:")
    typer.echo(key)
    typer.echo("# its hash, for the configuration:")
    typer.echo(f"clients:\n  {name}:\n    key_hash: {key_hash}")


@keys_app.command("list")
def list_clients(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the clients of the configuration: what each may do, and what it has spent today and in this month (UTC).

    Example: nightschool keys list
    """
    from datetime import UTC, datetime

    from nightschool.store.spend import Spent, read_spend

    loaded = configured(config)
    spent = read_spend(loaded.data).on(datetime.now(UTC).date())
    rows = [_described(name, client, spent.get(name, Spent())) for name, client in (loaded.clients or {}).items()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif not rows:
        typer.echo("no clients: whoever can reach the proxy may use it")
    else:
        _print_table(rows)


def _check(name: str) -> None:
    from nightschool.config.clients import PSEUDONYM
    from nightschool.config.values import SLUG

    if not re.fullmatch(SLUG, name) or PSEUDONYM.fullmatch(name):
        raise UnfitName(
            f"{name!r} is no name for a client",
            remedy="up to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit, and no 16 hex digits",
        )


def _described(name: str, client: ClientConfig, spent: Spent) -> dict[str, Any]:
    return {
        "client": name,
        "workloads": None if client.workloads is None else list(client.workloads),
        "requests_per_minute": client.requests_per_minute,
        "spent_today_usd": spent.day,
        "usd_per_day": client.usd_per_day,
        "spent_this_month_usd": spent.month,
        "usd_per_month": client.usd_per_month,
        "two_keys": client.previous_key_hash is not None,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from cli.screen import Column, console, table_that_fits

    columns = [
        Column("client", 12),
        Column("workloads", 12, may_go=1),
        Column("per minute", 10, right=True, may_go=2),
        Column("today", 12, right=True),
        Column("this month", 12, right=True),
    ]
    output = console()
    output.print(table_that_fits(columns, [_cells(row) for row in rows], output.width))


def _cells(row: Mapping[str, Any]) -> list[str]:
    workloads, per_minute = row["workloads"], row["requests_per_minute"]
    return [
        row["client"],
        "all" if workloads is None else ", ".join(workloads) or "none",
        "" if per_minute is None else f"{per_minute:,}",
        _money(row["spent_today_usd"], row["usd_per_day"]),
        _money(row["spent_this_month_usd"], row["usd_per_month"]),
    ]


def _money(spent: float, limit: float | None) -> str:
    return f"${spent:.2f}" if limit is None else f"${spent:.2f} of ${limit:.2f}"
