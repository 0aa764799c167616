"""What came of an evaluation, on the screen."""

from __future__ import annotations

import sys

from cli.cells import harmless
from cli.screen import Column, console, table_that_fits
from distill.evaluate.figures import Figures
from distill.evaluate.intervals import Interval
from distill.evaluate.page import TITLES, headline
from distill.evaluate.result import Manifest

_COLUMNS = [
    Column("system", 12),
    Column("score", 6, right=True),
    Column("95 %", 16, may_go=3),
    Column("difference", 10, right=True),
    Column("95 % of it", 18, may_go=2),
    Column("groups", 6, right=True, may_go=1),
    Column("no score", 8, right=True, may_go=4),
]


def print_figures(manifest: Manifest, figures: Figures) -> None:
    """A table of the systems, and what must be known of it."""
    for warning in manifest.warnings:
        print(f"nightschool: {harmless(warning)}", file=sys.stderr)
    output = console()
    adapter = manifest.adapter or "the base model alone"
    print(f"{manifest.workload} {manifest.id}: {adapter}, {manifest.taken:,} test answers, {manifest.scorer.name}")
    rows = [
        [
            TITLES[system.name],
            "" if system.score is None else f"{system.score.mean:.3f}",
            _range(system.score, ".3f"),
            "" if system.difference is None else f"{system.difference.mean:+.3f}",
            _range(system.difference, "+.3f"),
            f"{system.groups:,}",
            f"{manifest.taken - system.rows:,}",
        ]
        for system in figures.systems
    ]
    output.print(table_that_fits(_COLUMNS, rows, output.width))
    print(headline(manifest, figures))
    truths = ", ".join(f"{count:,} by {truth}" for truth, count in manifest.truths.items())
    print(f"truth: {truths}")


def _range(interval: Interval | None, form: str) -> str:
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"{interval.low:{form}} to {interval.high:{form}}"
