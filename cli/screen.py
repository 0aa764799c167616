"""The terminal: how wide it is, tables that fit it, and progress bars for what takes long."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple, Protocol

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.cells import harmless

GAP = 2
"""Blanks between two columns."""
PIPE_WIDTH = 200
"""Where no terminal says how wide it is."""
PATIENCE_S = 2.0
"""What is done sooner needs no bar."""


class Column(NamedTuple):
    """A column of a table for people."""

    title: str
    width: int
    """What it needs to be of use; it may take more."""
    right: bool = False
    may_go: int = 0
    """Columns leave a narrow terminal in the order of this number; 0 stays."""


def console() -> Console:
    """Standard output."""
    output = Console(highlight=False, soft_wrap=False)
    if not output.is_terminal:
        output = Console(highlight=False, width=_told_width() or PIPE_WIDTH)
    return output


def table_that_fits(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Table:
    """A table no wider than ``width``: columns leave it, and cells are cut, where they must be."""
    shown = _shown(columns, width)
    rows = [[harmless(cell) for cell in row] for row in rows]
    wanted = [max(cell_len(columns[i].title), *(cell_len(row[i]) for row in rows), 1) for i in shown]
    given = _share(wanted, [columns[i].width for i in shown], width - GAP * len(shown))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index, cells in zip(shown, given, strict=True):
        side: Literal["right", "left"] = "right" if columns[index].right else "left"
        table.add_column(columns[index].title, justify=side, no_wrap=True, overflow="ellipsis", width=cells)
    for row in rows:
        table.add_row(*(Text(row[index]) for index in shown))
    return table


def _shown(columns: Sequence[Column], width: int) -> list[int]:
    """Indices of the columns for which there is room."""
    shown = list(range(len(columns)))
    for index in sorted((i for i in shown if columns[i].may_go), key=lambda i: columns[i].may_go):
        if sum(columns[i].width + GAP for i in shown) <= width:
            break
        shown.remove(index)
    return shown


def _share(wanted: Sequence[int], needed: Sequence[int], width: int) -> list[int]:
    """Widths: everybody gets what it needs, and those that want more share what is left, the modest first."""
    given = [min(want, need) for want, need in zip(wanted, needed, strict=True)]
    hungry = sorted((i for i in range(len(wanted)) if wanted[i] > given[i]), key=lambda i: wanted[i])
    for position, index in enumerate(hungry):
        share = max(width - sum(given), 0) // (len(hungry) - position)
        given[index] += min(wanted[index] - given[index], share)
    return given


class Bar(Protocol):
    """Hears how much has been done."""

    def __call__(self, done: int) -> None: ...


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Bar]:
    """A bar on stderr, from the second second on, and only where somebody can see it."""
    output = Console(stderr=True)
    bar = Progress(
        TextColumn(what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=output, transient=True
    )
    task = bar.add_task(what, total=total)
    began = time.monotonic()

    def update(done: int) -> None:
        bar.update(task, completed=done)
        if output.is_terminal and not bar.live.is_started and time.monotonic() - began > PATIENCE_S:
            bar.start()

    try:
        yield update
    finally:
        if bar.live.is_started:
            bar.stop()


def _told_width() -> int | None:
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdigit() else None
