"""The command: runs what has no result of this code yet, and writes the document."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.proxy.failure import BenchFailure
from bench.suite.catalog import ALL, Benchmark, chosen
from bench.suite.causes import Missed, read_causes
from bench.suite.code import code_of
from bench.suite.page import Entry, missed, page
from bench.suite.result import Kept
from bench.suite.run import needs_run, run

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "bench"
WORK = BENCH / ".work" / "results"


def main(argv: list[str] | None = None) -> int:
    """0: everything that was asked for has a result; whether targets are met stands in the document."""
    given = _parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds the stack, as Ctrl-C does
    work = WORK / "quick" if given.quick else WORK
    kept = Kept(work, work if given.quick else BENCH / "results")
    written = work / "RESULTS.md" if given.quick else BENCH / "RESULTS.md"
    try:
        failures = {} if given.from_json else _run(chosen(given.only, given.skip), kept, work, given)
        write_page(kept, written, failures)
    except BenchFailure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    return 1 if failures else 0


def _run(benchmarks: Sequence[Benchmark], kept: Kept, work: Path, given: argparse.Namespace) -> dict[str, str]:
    """Those that could not be run or failed, and why."""
    failures: dict[str, str] = {}
    for place, benchmark in enumerate(benchmarks, start=1):
        told = f"{place} of {len(benchmarks)}: {benchmark.name}"
        if not needs_run(benchmark, kept, code=code_of(ROOT, benchmark.measures), again=given.again):
            print(f"{told}: has a result of this code", file=sys.stderr, flush=True)
        elif why := benchmark.missing():
            failures[benchmark.name] = why
            print(f"{told}: {why}", file=sys.stderr, flush=True)
        else:
            log = (work / f"{benchmark.name}.log").relative_to(ROOT)
            print(f"{told} … ({log})", file=sys.stderr, flush=True)
            result = run(benchmark, root=ROOT, work=work, quick=given.quick)
            kept.keep(result)
            if result.failure:
                failures[benchmark.name] = result.failure
                print(f"  {result.failure}", file=sys.stderr, flush=True)
    return failures


def write_page(kept: Kept, written: Path, failures: dict[str, str]) -> None:
    """Of every benchmark what there is."""
    causes = read_causes(BENCH / "causes.yaml")
    entries = [_entry(benchmark, kept, failures.get(benchmark.name, "")) for benchmark in ALL]
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(page(entries, causes))
    found = missed(entries)
    print(f"{len(found)} missed targets; written to {written.relative_to(ROOT)}")
    for name in causes.idle(Missed(entry.benchmark.name, figure.name) for entry, figure in found):
        print(f"causes.yaml: {name!r} is no missed figure", file=sys.stderr)


def _entry(benchmark: Benchmark, kept: Kept, failure: str) -> Entry:
    """An attempt that failed is told as long as nothing newer has been measured."""
    good, last = kept.good(benchmark.name), kept.attempt(benchmark.name)
    if not failure and last is not None and last.failure and (good is None or last.begun > good.begun):
        failure = last.failure
    return Entry(benchmark, good, failure)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.suite", description=__doc__)
    names = [benchmark.name for benchmark in ALL]
    parser.add_argument("--only", action="append", default=[], choices=names, help="run this benchmark alone")
    parser.add_argument("--skip", action="append", default=[], choices=names, help="leave this benchmark out")
    parser.add_argument("--again", action="store_true", help="run also what has a result of this code")
    parser.add_argument("--from-json", action="store_true", help="run nothing, write the document from what there is")
    parser.add_argument(
        "--quick", action="store_true", help="short runs that show that everything works, kept in bench/.work"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
