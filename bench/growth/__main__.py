"""The command: measures, prints a table, writes `bench/.work/growth.json` and the picture."""

from __future__ import annotations

import argparse
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figure import Figure, add_json_option, write_figures
from bench.growth import routes, stores, streams
from bench.growth.curve import Curve
from bench.growth.picture import draw
from bench.proxy.__main__ import alone
from bench.proxy.cores import divide
from bench.proxy.failure import BenchFailure
from bench.proxy.machine import Machine, describe

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "bench" / ".work"
PARTS = ("streams", "store", "workloads", "adapters")


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """As they are written down."""

    machine: Machine
    exponents: dict[str, float] = {}
    curves: list[Curve] = []


def main(argv: list[str] | None = None) -> int:
    """0: measured. What is steeper than expected is told in the table, and is no failure."""
    given = _parser().parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = WORK / "growth"
    try:
        with alone(WORK / "proxy.lock"):
            curves = measure(given.only or PARTS, folder, given.most_rows)
    except BenchFailure as failure:
        print(f"growth: {failure}\nlogs: {folder}", file=sys.stderr)
        return 1
    written = WORK / "growth.json"
    results = merged(written, curves, describe(divide()))
    written.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    draw(results.curves, given.png)
    print_curves(results.curves)
    write_figures(given.json, [_figure(curve) for curve in results.curves])
    print(f"written to {written.relative_to(ROOT)} and {given.png}")
    shutil.rmtree(folder)
    return 0


def measure(parts: Sequence[str], folder: Path, most_rows: int) -> list[Curve]:
    """Those parts, each in an empty folder."""
    levels = [rows for rows in stores.LEVELS if rows <= most_rows]
    how: dict[str, Callable[[Path, Callable[[str], None]], list[Curve]]] = {
        "streams": streams.curves,
        "store": lambda place, say: stores.curves(place, say, levels),
        "workloads": routes.workload_curves,
        "adapters": routes.adapter_curves,
    }
    begun, found = time.monotonic(), []

    def say(doing: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {doing}", file=sys.stderr, flush=True)

    shutil.rmtree(folder, ignore_errors=True)
    for part in parts:
        place = folder / part
        place.mkdir(parents=True)
        found += how[part](place, say)
    return found


def merged(path: Path, curves: Sequence[Curve], machine: Machine) -> Results:
    """The new curves in the place of older ones of their parts; a part that was not measured now stays as it was."""
    parts = {curve.part for curve in curves}
    before = msgspec.json.decode(path.read_bytes(), type=Results).curves if path.exists() else []
    kept = [*(curve for curve in before if curve.part not in parts), *curves]
    ordered = sorted(kept, key=lambda curve: PARTS.index(curve.part))
    exponents = {f"{curve.part}: {curve.what}": round(curve.exponent, 3) for curve in ordered}
    return Results(machine=machine, exponents=exponents, curves=ordered)


def _figure(curve: Curve) -> Figure:
    """That cost does not rise more steeply than it should."""
    (first, least), (last, most) = curve.points[0], curve.points[-1]
    over = f"{_short(first)} … {_short(last)} {curve.over}"
    told = f"{_short(least)} … {_short(most)} {curve.unit}, exponent {curve.exponent:+.2f}"
    met = curve.verdict == "as expected"
    return Figure(f"{curve.part}: {curve.what}, over {over}", told, f"exponent <= {curve.expected:g}", met)


def print_curves(curves: Sequence[Curve]) -> None:
    """For people."""
    table = Table("", "over", "measured", "exponent", "expected", "", box=None)
    for curve in curves:
        first, *_, last = curve.points
        measured = " ".join(_short(cost) for _, cost in curve.points)
        over = f"{first[0]:,.0f} … {last[0]:,.0f} {curve.over}"
        exponent, expected = f"{curve.exponent:+.2f}", f"<= {curve.expected:g}"
        table.add_row(curve.what, over, f"{measured} {curve.unit}", exponent, expected, curve.verdict)
    Console(width=170).print(table)


def _short(value: float) -> str:
    """Three digits, however large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description="How cost grows.")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure this part alone; others stay")
    parser.add_argument("--most-rows", type=int, default=stores.LEVELS[-1], help="in the largest store (default 10^7)")
    parser.add_argument("--png", type=Path, default=WORK / "growth.png", help="where the picture goes")
    add_json_option(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
