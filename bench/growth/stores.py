"""A thousand to ten million stored exchanges of ten days: queries, `nightschool status`, and room on the disk.

Up to a million are written as logs and filed by the real recorder and compactor; more in bulk (bulk.py).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import nightschool
from bench.growth.bulk import write_store
from bench.growth.curve import Curve
from bench.store import COUNT, FILTER, ONE, file_traffic, merge_all
from nightschool.store.listing import one
from nightschool.store.manifest import read_manifest

LEVELS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
FILED_UP_TO = 1_000_000
REPEATS = 7
ROOM_PER_ROW = 800
"""Bytes of disk, with some to spare."""
_ROWS_PER_PART = 100_000
_MEASURES: tuple[tuple[str, str, float], ...] = (
    ("count by model and day", "s", 1.0),
    ("one exchange by its id, in SQL", "s", 1.0),
    ("the same as `logs show` asks", "s", 0.0),
    ("workload + tag + last day", "s", 1.0),
    ("`nightschool status`", "s", 1.0),
    ("room on the disk, an exchange", "bytes", 0.0),
)
"""What, its unit, and the exponent that is expected at most."""


def curves(folder: Path, say: Callable[[str], None], levels: Sequence[int] = LEVELS) -> list[Curve]:
    """One store after the other; a level for which the disk has no room is left out."""
    points: list[list[tuple[float, float]]] = [[] for _ in _MEASURES]
    for rows in levels:
        free = shutil.disk_usage(folder).free
        if free < rows * ROOM_PER_ROW:
            say(f"{rows:,} exchanges are left out: they need {rows * ROOM_PER_ROW:,} bytes, and {free:,} are free")
            continue
        say(f"{rows:,} stored exchanges")
        data = folder / "data"
        try:
            for line, value in zip(points, _measured(folder, data, rows), strict=True):
                line.append((float(rows), value))
        finally:
            shutil.rmtree(data, ignore_errors=True)
    return [
        Curve(part="store", over="stored exchanges", what=what, unit=unit, expected=expected, points=line)
        for (what, unit, expected), line in zip(_MEASURES, points, strict=True)
    ]


def _measured(folder: Path, data: Path, rows: int) -> list[float]:
    """In the order of ``_MEASURES``."""
    some_id = _filed(data, rows) if rows <= FILED_UP_TO else write_store(data, rows)
    segments = read_manifest(data).segments("exchanges")
    queries: tuple[tuple[str, list[str]], ...] = ((COUNT, []), (ONE, [some_id]), (FILTER, []))
    count, by_id, filtered = (_quickest_s(partial(_ask, data, sql, values)) for sql, values in queries)
    shown = _quickest_s(lambda: one(data, some_id))
    config = folder / "nightschool.yaml"
    upstreams = {"nobody": {"base_url": "http://127.0.0.1:9/v1"}}
    config.write_text(json.dumps({"data": "data", "upstreams": upstreams}))
    command = [str(Path(sys.executable).with_name("nightschool")), "status", "--config", str(config)]
    status = _quickest_s(lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True))
    return [count, by_id, shown, filtered, status, sum(segment.bytes for segment in segments) / rows]


def _filed(data: Path, rows: int) -> str:
    filed = file_traffic(data, rows, parts=max(1, rows // _ROWS_PER_PART))
    merge_all(data)
    return filed.some_id


def _ask(data: Path, sql: str, values: list[str]) -> None:
    """Of a store that is opened anew."""
    with closing(nightschool.open_store(data)) as store:
        if not store.execute(sql, values).fetchall():
            raise SystemExit(f"nothing found: {sql}")


def _quickest_s(work: Callable[[], object]) -> float:
    """What else runs on the machine only adds."""
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
