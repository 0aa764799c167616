"""Queries over a million stored exchanges, their size on the disk, and what the recorder takes to file them.

    python -m bench.store [FOLDER] [--rows N] [--keep] [--json FILE]

Exchanges of about 2 KB (bench/synthetic.py), spread over the last ten days, are written as workers write them, filed by
the real recorder in its own process, and merged. Every figure of a query includes opening the store anew.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import nightschool
from bench.figure import Figure, Spread, add_json_option, print_figures, write_figures
from bench.synthetic import HOUR_US, PRICES, Traffic
from nightschool.record import id_text
from nightschool.store import wal
from nightschool.store.compact import compact_once
from nightschool.store.log import LogReader
from nightschool.store.manifest import prepare_folder, publish, read_manifest
from nightschool.store.sealer import Sealer
from nightschool.store.sweep import sweep

WORK = Path(__file__).parent / ".work" / "store"
DAYS = 10
ROWS_PER_LOG = 7_000
"""About 16 MiB, where a worker begins the next log."""
PARTS = 10
"""The traffic is written and filed in so many parts, so that the logs never need much room."""
REPEATS = 5
SMALL_SEGMENTS = 5_000
SMALL_ROWS = 20


class Filed:
    """What the recorder took to file the traffic."""

    def __init__(self) -> None:
        self.rows = self.json_bytes = self.peak_bytes = 0
        self.wall_s = self.cpu_s = 0.0
        self.some_id = ""


def main(argv: list[str] | None = None) -> int:
    """0 when every target is met, else 1."""
    arguments = _parse(argv)
    folder, rows = arguments.folder, arguments.rows
    shutil.rmtree(folder, ignore_errors=True)
    try:
        figures = [*measure_store(folder / "large", rows), *measure_small(folder / "small")]
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    write_figures(arguments.json, figures)
    return print_figures(f"the store, {rows:,} exchanges of {DAYS} days", figures)


def measure_store(folder: Path, rows: int) -> Iterator[Figure]:
    """A store of ``rows`` exchanges, as the recorder leaves it and after the merges."""
    filed = file_traffic(folder, rows)
    yield Figure("an exchange as JSON, mean", f"{filed.json_bytes / filed.rows:,.0f} bytes")
    yield Figure("recorder: exchanges per second", f"{filed.rows / filed.wall_s:,.0f}")
    yield Figure("recorder: CPU per exchange", f"{filed.cpu_s / filed.rows * 1e6:,.0f} µs")
    yield Figure("recorder: peak memory", f"{filed.peak_bytes / 2**20:,.0f} MiB")
    yield from _queries(folder, filed, f"{_segments(folder):,} segments")
    started = time.perf_counter()
    merge_all(folder)
    yield Figure("merging: exchanges per second", f"{filed.rows / (time.perf_counter() - started):,.0f}")
    segments = read_manifest(folder).segments("exchanges")
    per_row = sum(segment.bytes for segment in segments) / filed.rows
    yield Figure("on the disk per exchange", f"{per_row:,.0f} bytes", "<= 600 bytes", per_row <= 600)
    yield from _queries(folder, filed, f"merged into {len(segments):,}")
    yield _unsealed(folder)


def measure_small(folder: Path) -> Iterator[Figure]:
    """Many small segments: one an hour of a quiet half year, before and after the merges."""
    prepare_folder(folder)
    traffic = Traffic(seed=2)
    hour_us = time.time_ns() // 1000 // HOUR_US * HOUR_US
    log = folder / "hour.wal"
    with Sealer(folder) as sealer:
        for number in range(SMALL_SEGMENTS):
            _write_log(log, traffic, [hour_us - (SMALL_SEGMENTS - number) * HOUR_US + n for n in range(SMALL_ROWS)])
            for row in LogReader(log, finished=True):
                sealer.add(row)
            sealer.seal()
        publish(folder, sealer.added_to)
    for _ in range(2):
        name = f"count by model and day, {_segments(folder):,} segments of one hour or day"
        yield _timed(name, folder, COUNT, [])
        merge_all(folder)


def file_traffic(folder: Path, rows: int, *, parts: int = PARTS) -> Filed:
    """Write logs and have the recorder file them, part by part."""
    prepare_folder(folder)
    filed, traffic = Filed(), Traffic()
    step_us = DAYS * 24 * HOUR_US // rows
    begin_us = time.time_ns() // 1000 - rows * step_us
    for part in range(parts):
        first, last = rows * part // parts, rows * (part + 1) // parts
        for number in range(first, last, ROWS_PER_LOG):
            times = [begin_us + n * step_us for n in range(number, min(number + ROWS_PER_LOG, last))]
            size, filed.some_id = _write_log(folder / "wal" / f"{number:012}.wal", traffic, times)
            filed.json_bytes += size
        _run_recorder(folder, filed)
        filed.rows = last
        print(f"{last:,} of {rows:,} exchanges filed", file=sys.stderr)
    return filed


def _write_log(path: Path, traffic: Traffic, times: Iterable[int]) -> tuple[int, str]:
    """A finished log; returns how much JSON is in it, and the id of one exchange."""
    path.parent.mkdir(parents=True, exist_ok=True)
    json_bytes, identity = 0, b""
    with path.open("wb") as file:
        file.writelines(wal.encode(wal.HEADER, wal.Header(prices=PRICES)))
        for time_us in times:
            for kind, meta, body in traffic.exchange(time_us):
                file.writelines(wal.encode(kind, meta, [body]))
                json_bytes, identity = json_bytes + len(body), meta.id
        file.writelines(wal.encode(wal.FINISHED, None))
    return json_bytes, id_text(identity)


def _run_recorder(folder: Path, filed: Filed) -> None:
    """The real one, in its own process; its start is counted, too."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "proxy.recorder", str(folder), "--once"]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    filed.wall_s += time.perf_counter() - started
    filed.cpu_s += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    filed.peak_bytes = after.ru_maxrss * 1024


COUNT = "select model_served, time::date as day, count(*), sum(cost_usd) from exchanges group by all order by all"
ONE = "select * from exchanges where id = ?"
FILTER = (
    "select id, time, status, latency_ms from exchanges where workload = 'pii-redaction' and tags['feature'] = 'inbox' "
    "and time >= now() - interval 1 day"
)


def _queries(folder: Path, filed: Filed, state: str) -> Iterator[Figure]:
    for name, sql, values, most_s in (
        ("count by model and day", COUNT, [], 0.5),
        ("one exchange by id", ONE, [filed.some_id], 0.3),
        ("workload + tag + last day", FILTER, [], 0.5),
    ):
        yield _timed(f"{name}, {state}", folder, sql, values, most_s)
    yield _timed(f"  opening alone, {state}", folder, "select 1", [])


def _timed(name: str, folder: Path, sql: str, values: list[str], most_s: float | None = None) -> Figure:
    taken = _taken_s(folder, sql, values)
    middle = statistics.median(taken)
    if most_s is None:
        return Figure(name, f"{middle:.3f} s", spread=Spread.of(taken))
    return Figure(name, f"{middle:.3f} s", f"<= {most_s} s", middle <= most_s, spread=Spread.of(taken))


def _taken_s(folder: Path, sql: str, values: list[str]) -> list[float]:
    """Seconds to open the store anew and to have the answer, several times."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        with closing(nightschool.open_store(folder)) as store:
            if not store.execute(sql, values).fetchall():
                raise SystemExit(f"nothing found: {sql}")
        taken.append(time.perf_counter() - started)
    return taken


def _unsealed(folder: Path) -> Figure:
    """The most that one busy worker leaves for readers to parse: a full log."""
    times = [time.time_ns() // 1000 + n for n in range(ROWS_PER_LOG)]
    _write_log(folder / "wal" / "busy.wal", Traffic(seed=3), times)
    return _timed(f"opening with {ROWS_PER_LOG:,} exchanges in a log", folder, "select 1", [])


def _segments(folder: Path) -> int:
    return len(read_manifest(folder).segments("exchanges"))


def merge_all(folder: Path) -> None:
    while compact_once(folder):
        pass
    sweep(folder, grace_s=0)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.store", description="Queries over stored exchanges.")
    parser.add_argument("folder", type=Path, nargs="?", default=WORK, help="is emptied first")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--keep", action="store_true", help="leave the store there")
    add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
