"""The command: starts everything, measures, prints the table, writes `bench/.work/proxy.json`, and ends all it
started."""

from __future__ import annotations

import argparse
import fcntl
import resource
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.figure import Figure, add_json_option, write_figures
from bench.proxy import beside, table
from bench.proxy.failure import BenchFailure
from bench.proxy.figures import figures
from bench.proxy.results import Results
from bench.proxy.run import BESIDE, PARTS, Plan, measure_all
from bench.proxy.starters import MORE, STARTS, USUAL

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "bench" / ".work"


def parse(arguments: list[str] | None = None) -> tuple[Plan, Path | None]:
    """What the command line asks for, and where the figures are to be written, too."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.proxy", description="nightschool beside nginx, LiteLLM and others, in one run"
    )
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load in each round (default 4)")
    parser.add_argument(
        "--quick", action="store_true", help="about a minute: one short round, memory over 30 000 exchanges"
    )
    parser.add_argument(
        "--peers",
        nargs="+",
        default=[],
        choices=["all", *MORE],
        help="beside nginx and LiteLLM, and what is measured of each alone (memory with open streams, records lost)",
    )
    peers = [name for name in STARTS if name != "nightschool"]
    parser.add_argument("--skip", action="append", default=[], choices=peers, help="leave a peer out")
    parser.add_argument(
        "--only", action="append", default=[], choices=[*PARTS, *BESIDE], help="measure this part alone"
    )
    add_json_option(parser)
    given = parser.parse_args(arguments)
    more = tuple(name for name in MORE if "all" in given.peers or name in given.peers)
    usual = Plan(
        rounds=given.rounds,
        seconds=given.seconds,
        memory_steps=10,
        stream_gap_ms=250,
        scaling_rounds=3,
        loss_rounds=5,
        peers=(*USUAL, *more),
        skip=frozenset(given.skip),
        parts=frozenset(given.only or (*PARTS, *(BESIDE if more else ()))),
    )
    quick = usual._replace(rounds=1, seconds=2.0, memory_steps=3, stream_gap_ms=100, scaling_rounds=1, loss_rounds=1)
    return quick if given.quick else usual, given.json


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Two benches on one machine would measure each other."""
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchFailure("another run of this bench is under way; wait for its end") from None
        yield


def main() -> int:
    """0: measured; whether the targets are met stands in the table. 1: something could not be measured."""
    plan, json_file = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds the stack, as Ctrl-C does
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand streams are four thousand sockets
    folder = WORK / "proxy"
    try:
        with ExitStack() as stack:
            stack.enter_context(alone(WORK / "proxy.lock"))
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            results = measure_all(stack, plan, folder=folder, root=ROOT)
    except BenchFailure as failure:
        print(f"bench: {failure}\nlogs: {folder.relative_to(ROOT)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    _print(results, with_peers=plan.peers != USUAL)
    _write(results, json_file)
    shutil.rmtree(folder)
    return 0


def _print(results: Results, *, with_peers: bool) -> None:
    print(f"\n{table.heading(results)}\n\n{table.render(figures(results))}")
    if with_peers:
        sheet = beside.peers_sheet(results)
        print(f"\n{sheet.title}\n\n{table.aligned([sheet.heads, *sheet.rows])}\n")
    for name, why in results.missing.items():
        print(f"{name}: {why}")


def _write(results: Results, json_file: Path | None) -> None:
    """Everything that was measured for whoever looks closer, and the figures for the document of all benchmarks."""
    shown = list(figures(results))
    written = WORK / "proxy.json"
    document = {"figures": shown, "results": results}
    written.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
    print(f"written to {written.relative_to(ROOT)}")
    held: list[Figure] = [*beside.held(shown), *beside.loss_figures(results)]
    sheets = [table.cells(shown), beside.peers_sheet(results)]
    write_figures(json_file, held, sheets=sheets, notes=beside.notes(results), versions=results.versions)


if __name__ == "__main__":
    sys.exit(main())
