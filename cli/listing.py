"""Exchanges on the screen."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cli.cells import dollars, duration, harmless, moment, plain, tokens
from cli.conversation import facts
from cli.screen import Column, console, table_that_fits
from nightschool.store.imports.exported import line_of
from nightschool.wire.turns import turns

SHORT_ID = 12
"""The last group of an id is all random, and enough to find it by."""
COLUMNS = (
    Column("time (UTC)", 14),
    Column("id", SHORT_ID),
    Column("workload", 10, may_go=4),
    Column("target", 7, may_go=1),
    Column("model", 12, may_go=6),
    Column("status", 6),
    Column("tokens", 11, right=True, may_go=3),
    Column("cost", 7, right=True, may_go=2),
    Column("latency", 7, right=True, may_go=5),
    Column("last question", 20),
)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """For people."""
    if not rows:
        print("no exchange", file=sys.stderr)
        return
    output = console()
    output.print(table_that_fits(COLUMNS, [_cells(row) for row in rows], output.width))


def print_json(rows: Sequence[Mapping[str, Any]]) -> None:
    """For scripts: all columns but the bodies, and the last question."""
    told = [{name: plain(value) for name, value in row.items()} for row in rows]
    print(json.dumps(told, ensure_ascii=False, indent=1))


def print_exchange(row: Mapping[str, Any], feedback: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """One exchange, whole, and what was said about it."""
    if as_json:
        print(line_of(row).decode())
        return
    output = console()
    unbroken = not output.is_terminal
    for name, value in [*facts(row), *map(_opinion, feedback)]:
        if value:
            output.print(f"[dim]{name:<13}[/dim]", end="")
            output.print(harmless(value), markup=False, soft_wrap=unbroken)
    for turn in turns(row):
        output.print(f"\n{harmless(turn.role)}", style="bold", markup=False)
        output.print(harmless(turn.text), markup=False, soft_wrap=unbroken)


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [
        _short_time(row["time"]),
        row["id"][-SHORT_ID:],
        row["workload"] or "",
        row["target"],
        row["model_served"] or row["model_requested"] or "",
        _status(row),
        tokens(row["prompt_tokens"], row["completion_tokens"]),
        dollars(row["cost_usd"]),
        duration(row["latency_ms"]),
        row["last_question"][:500],
    ]


def _opinion(feedback: Mapping[str, Any]) -> tuple[str, str]:
    score, by = feedback["score"], f"by {feedback['user']}" if feedback["user"] else ""
    said = (None if score is None else f"{score:g}", feedback["comment"], by)
    return "feedback", ", ".join(filter(None, said))


def _short_time(time: datetime) -> str:
    return moment(time)[5:]


def _status(row: Mapping[str, Any]) -> str:
    status = "-" if row["status"] is None else str(row["status"])
    return status if row["complete"] else f"{status} cut"
