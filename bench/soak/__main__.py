"""The command: soaks, prints what held and what did not, writes `bench/.work/soak.json`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figure import Figure, add_json_option, write_figures
from bench.proxy.failure import BenchFailure
from bench.soak.run import Plan, Result, soak

WORK = Path(__file__).resolve().parents[1] / ".work"


def main(argv: list[str] | None = None) -> int:
    """0: all held. 1: something was missed, or could not be tried; then logs and store are left there."""
    given = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends what was started, as Ctrl-C does
    folder = WORK / "soak"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        result = soak(Plan(given.minutes * 60, given.rate, given.seed), folder)
    except BenchFailure as failure:
        print(f"soak: {failure}\nlogs: {folder}", file=sys.stderr)
        return 1
    (WORK / "soak.json").write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1))
    write_figures(given.json, _figures(result), notes=_notes(result))
    print_result(result)
    if result.met:
        shutil.rmtree(folder)
        return 0
    print(f"logs and store: {folder}", file=sys.stderr)
    return 1


def _figures(result: Result) -> list[Figure]:
    return [Figure(check.what, check.value, check.limit, check.met) for check in result.checks]


def _notes(result: Result) -> list[str]:
    told = (("clients", result.by_kind), ("ends", result.by_end), ("faults", result.faults))
    counts = [f"{name}: " + ", ".join(f"{what} {count:,}" for what, count in of.items()) for name, of in told]
    return [f"{result.asked:,} questions in {result.seconds / 60:g} minutes, seed {result.seed}", *counts]


def print_result(result: Result) -> None:
    """For people."""
    console = Console(width=150)
    console.print(f"{result.asked:,} questions in {result.seconds / 60:g} minutes, seed {result.seed}")
    for name, counts in (("clients", result.by_kind), ("ends", result.by_end), ("faults", result.faults)):
        console.print(f"{name}: " + ", ".join(f"{what} {count:,}" for what, count in counts.items()))
    console.print(f"merges beside the recorder's: {result.merges}; open at once at most: {result.most_open}")
    console.print(f"cut by the death of the process that answered, as may be: {result.excused}")
    if result.held_back:
        console.print(f"not asked, since too many questions were open: {result.held_back:,}")
    table = Table("", "measured", "limit", "", box=None)
    for check in result.checks:
        table.add_row(check.what, check.value, check.limit, "met" if check.met else "MISSED")
    console.print(table)
    for check in result.checks:
        for fault in check.faults:
            console.print(f"  {check.what}: {fault}", markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description="Mixed traffic and faults, for long.")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=40.0, help="questions a second (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks and breaks the same")
    add_json_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
