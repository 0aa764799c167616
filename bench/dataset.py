"""From stored exchanges to a dataset: time, and memory of the process that builds it.

    python -m bench.dataset [FOLDER] [--rows N] [--keep] [--json FILE]

Exchanges of about 2 KB (bench/synthetic.py) are filed by the real recorder; then `dataset build` runs over all of
them in a process of its own. Aim: a million within ten minutes on two cores, and 4 GB.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.figure import Figure, add_json_option, print_figures, write_figures
from bench.store import file_traffic
from distill.dataset.snapshot import DatasetManifest, find

WORK = Path(__file__).parent / ".work" / "dataset"
AIM_S = 600
AIM_BYTES = 4 << 30
AIM_ROWS = 1_000_000
_BUILD = """
import sys
from pathlib import Path
from distill.dataset.build import build
from distill.dataset.settings import Settings
from distill.selection import Selection
build(Path(sys.argv[1]), Selection("all", "true"), Settings())
"""


class Cost(NamedTuple):
    """Of one build."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    manifest: DatasetManifest


def main(argv: list[str] | None = None) -> int:
    """0 when the aim is met, scaled to the number of rows, else 1."""
    arguments = _parse(argv)
    folder, rows = arguments.folder, arguments.rows
    shutil.rmtree(folder, ignore_errors=True)
    try:
        json_bytes = file_traffic(folder, rows).json_bytes
        cost = measure(folder)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    figures = list(_figures(cost, rows, json_bytes))
    write_figures(arguments.json, figures)
    return print_figures(f"a dataset of {rows:,} exchanges", figures)


def _figures(cost: Cost, rows: int, json_bytes: int) -> Iterator[Figure]:
    most_s = AIM_S * rows / AIM_ROWS
    yield Figure("an exchange as JSON, mean", f"{json_bytes / rows:,.0f} bytes")
    yield Figure(f"wall, {rows:,} exchanges", f"{cost.wall_s:,.1f} s", f"<= {most_s:,.0f} s", cost.wall_s <= most_s)
    yield Figure("CPU per exchange", f"{cost.cpu_s / rows * 1e6:,.0f} µs")
    peak, most = (f"{size / 2**20:,.0f} MiB" for size in (cost.peak_bytes, AIM_BYTES))
    yield Figure("peak memory", peak, f"<= {most}", cost.peak_bytes <= AIM_BYTES)
    for name, side in cost.manifest.sides.items():
        yield Figure(name, f"{side.examples:,} examples")


def measure(folder: Path) -> Cost:
    """Build a dataset in a process of its own."""
    started = time.perf_counter()
    builder = subprocess.Popen([sys.executable, "-c", _BUILD, str(folder)])
    _, status, usage = os.wait4(builder.pid, 0)
    if status:
        raise SystemExit(f"the build ended with status {status}")
    wall_s = time.perf_counter() - started
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, find(folder, "all"))


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.dataset", description="Stored exchanges into a dataset.")
    parser.add_argument("folder", type=Path, nargs="?", default=WORK, help="is emptied first")
    parser.add_argument("--rows", type=int, default=AIM_ROWS)
    parser.add_argument("--keep", action="store_true", help="leave the store there")
    add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
