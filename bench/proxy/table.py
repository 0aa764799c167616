"""Figures -> a table that can be read in a terminal and pasted into Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.figure import Sheet
from bench.proxy.figures import Figure
from bench.proxy.results import Results

_HEADS = ("figure", "nginx", "nightschool", "LiteLLM", "ratio", "target", "met?")
_MET = {True: "yes", False: "NO", None: ""}


def heading(results: Results) -> str:
    """Machine, versions and date: without them the figures mean nothing."""
    machine = results.machine
    versions = " · ".join(f"{name} {version}" for name, version in results.versions.items())
    rounds = len({window.round for window in results.windows})
    return (
        f"{results.begun:%Y-%m-%d %H:%M} UTC · {machine.processor}, {machine.cores} cores, "
        f"{machine.memory_bytes / 2**30:.0f} GiB, Linux {machine.kernel}, "
        f"Python {machine.python}, load average before {machine.load_average:.2f}\n{versions}\n"
        f"proxies on core {machine.proxy_core}, generator and upstream on {machine.load_cores} · recording on · "
        f"{rounds} interleaved rounds, median (lowest-highest), ratios within a round"
    )


def render(figures: Iterable[Figure]) -> str:
    """Aligned Markdown."""
    return aligned([_HEADS, *(_cells(figure) for figure in figures)])


def cells(figures: Iterable[Figure]) -> Sheet:
    """The same lines."""
    title = "Beside nginx and LiteLLM: median (lowest-highest) over the rounds, ratios within a round"
    return Sheet(title, list(_HEADS), [list(_cells(figure)) for figure in figures])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Markdown that can be read as it is; the first row are the heads."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cells(figure: Figure) -> tuple[str, ...]:
    shown = (figure.name, figure.nginx, figure.nightschool, figure.litellm, figure.ratio, figure.target)
    return (*shown, _MET[figure.met])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
