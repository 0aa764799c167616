"""The command: makes the runs that have no result yet, one after the other, and prints the table."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

import yaml

from bench.distill.plan import Planned, chosen, runs
from bench.distill.results import add_result, read_results
from bench.distill.table import figures, sheet, table
from bench.figure import add_json_option, write_figures
from bench.proxy.__main__ import alone
from bench.proxy.failure import BenchFailure

WORK = Path(__file__).resolve().parents[1] / ".work" / "distill"
RESULTS = Path(__file__).with_name("results.jsonl")
"""Kept with the code: together the runs take days."""


def main(argv: list[str] | None = None) -> int:
    """0: every run that was asked for has a result; whether targets are met stands in the table."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds the stack, as Ctrl-C does
    try:
        arguments = _parse(argv)
        kept = WORK / "quick.jsonl" if arguments.quick else RESULTS
        planned = chosen(runs(), arguments.only, dict(arguments.set), quick=arguments.quick)
        if not arguments.table:
            _make(planned, kept, threads=arguments.threads, again=arguments.again)
    except BenchFailure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    results = read_results(kept)
    print(table(planned, results))
    if results:
        write_figures(arguments.json, figures(planned, results), sheets=[sheet(planned, results)])
    return 0


def _make(planned: list[Planned], kept: Path, *, threads: int, again: bool) -> None:
    from bench.distill.run import measure

    WORK.mkdir(parents=True, exist_ok=True)
    with alone(WORK / "lock"):
        for number, each in enumerate(planned, start=1):
            if not again and each.run.key in read_results(kept):
                continue
            print(f"{number} of {len(planned)}: {each.name} ({WORK / each.run.key})", file=sys.stderr, flush=True)
            result = measure(each, WORK, threads=threads)
            add_result(kept, result)
            told = ", ".join(f"{name} {score.f1:.3f}" for name, score in result.answers.items())
            print(f"  {result.ended} {told}", file=sys.stderr, flush=True)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return name, yaml.safe_load(value)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.distill", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="these runs (globs) alone")
    parser.add_argument("--again", action="store_true", help="make also the runs that have a result")
    parser.add_argument("--quick", action="store_true", help="forty answers, one epoch: whether everything works")
    parser.add_argument("--table", action="store_true", help="print what is there, and make nothing")
    parser.add_argument("--threads", type=int, default=1, help="of training and generation (default 1)")
    parser.add_argument(
        "--set", action="append", default=[], type=_setting, metavar="KEY=VALUE", help="another `distill:` setting"
    )
    add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
