"""The answer to a query, printed: a table for people, JSON or CSV for scripts, row by row."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import duckdb

from cli.cells import harmless, plain, text
from cli.screen import Column, console, table_that_fits

CHUNK_ROWS = 1_000
MOST_ROWS = 500
"""In a table for people; scripts get all."""


def print_json(answer: duckdb.DuckDBPyConnection) -> None:
    """An array of objects, one per row."""
    names = _names(answer)
    separator = "[\n"
    for row in _rows(answer):
        line = json.dumps(dict(zip(names, map(plain, row), strict=True)), ensure_ascii=False)
        sys.stdout.write(separator + line)
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def print_csv(answer: duckdb.DuckDBPyConnection) -> None:
    """A header, then the rows; null is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_names(answer))
    for row in _rows(answer):
        writer.writerow([_csv_cell(value) for value in row])


def print_table(answer: duckdb.DuckDBPyConnection) -> None:
    """The first rows, as wide as the terminal; one below the other where they have too many columns for that."""
    names = _names(answer)
    rows = answer.fetchmany(MOST_ROWS + 1)
    if not names:
        return
    output = console()
    columns = [
        Column(name, min(len(name), 12), right=_is_numeric(row[i] for row in rows)) for i, name in enumerate(names)
    ]
    cells = [[harmless(text(value)) for value in row] for row in rows[:MOST_ROWS]]
    if sum(column.width + 2 for column in columns) <= output.width:
        output.print(table_that_fits(columns, cells, output.width))
    else:
        _print_vertically(names, cells, output.width)
    if len(rows) > MOST_ROWS:
        print(f"the first {MOST_ROWS} rows; --csv and --json give all of them", file=sys.stderr)


def _print_vertically(names: list[str], rows: list[list[str]], width: int) -> None:
    indent = max(map(len, names)) + 2
    for number, row in enumerate(rows, start=1):
        print(f"row {number}")
        for name, value in zip(names, row, strict=True):
            room = max(width - indent - 2, 20)
            print(f"  {name:<{indent - 2}}{value if len(value) <= room else value[: room - 1] + '…'}")


def _is_numeric(values: Iterable[Any]) -> bool:
    return any(isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in values)


def _names(answer: duckdb.DuckDBPyConnection) -> list[str]:
    """Column names; a second one of the same name gets a number, so that no value hides another."""
    names: list[str] = []
    for column in answer.description or []:
        name, number = column[0], 1
        while name in names:
            number += 1
            name = f"{column[0]}_{number}"
        names.append(name)
    return names


def _rows(answer: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while chunk := answer.fetchmany(CHUNK_ROWS):
        yield from chunk


def _csv_cell(value: Any) -> Any:
    found = plain(value)
    return json.dumps(found, ensure_ascii=False) if isinstance(found, dict | list) else found
