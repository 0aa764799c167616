"""A figure of a benchmark with what it must reach: printed as a table, and written as JSON for `bench.suite`."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table


class Spread(msgspec.Struct, frozen=True):
    """Of one figure over runs that alternated with what it is compared with, or were only repeated."""

    lowest: float
    median: float
    highest: float
    runs: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """At least one value."""
        known = list(values)
        return cls(min(known), statistics.median(known), max(known), len(known))


class Figure(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a table; ``met`` is None where nothing must be reached, or where it could not be told."""

    name: str
    value: str | float
    """As it is to be shown."""
    target: str | float = ""
    met: bool | None = None
    unit: str = ""
    """Of ``value`` and ``target``, where they do not say it themselves."""
    spread: Spread | None = None


class Sheet(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table for what one value a line cannot tell; its cells are shown as they are."""

    title: str
    heads: list[str]
    rows: list[list[str]]


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a benchmark has to say."""

    figures: list[Figure]
    sheets: list[Sheet] = []
    notes: list[str] = []
    versions: dict[str, str] = {}
    """Of what was measured beside nightschool."""


def print_figures(title: str, figures: Sequence[Figure]) -> int:
    """As a table; 0 when every target is met, else 1."""
    table = Table("", "measured", "target", "", title=title, box=None)
    verdicts = {True: "ok", False: "MISSED", None: ""}
    for figure in figures:
        value, target = f"{figure.value} {figure.unit}".strip(), f"{figure.target}"
        table.add_row(figure.name, value, target, verdicts[figure.met])
    Console(width=110).print(table)
    return 1 if any(figure.met is False for figure in figures) else 0


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """``--json FILE``, the same for every benchmark."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")


def write_figures(
    path: Path | None,
    figures: Iterable[Figure],
    *,
    sheets: Iterable[Sheet] = (),
    notes: Iterable[str] = (),
    versions: dict[str, str] | None = None,
) -> None:
    """As JSON to the file that was given with ``--json``; nothing without."""
    if path is None:
        return
    measured = Measured(list(figures), list(sheets), list(notes), versions or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


def read_figures(path: Path) -> Measured:
    """What a benchmark has written: all that it measured, or a bare list of figures."""
    written = msgspec.json.decode(path.read_bytes(), type=Measured | list[Figure])
    return Measured(written) if isinstance(written, list) else written
