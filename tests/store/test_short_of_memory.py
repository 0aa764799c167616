"""Where memory runs out: what is sound stays in the store, and the work is given up."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from nightschool.record import Record
from nightschool.store.manifest import Manifest, prepare_folder, publish, read_manifest
from nightschool.store.quarantine import list_quarantine
from nightschool.store.schema import table_of
from nightschool.store.segment import seal
from tests.store.logs import DAY_US, NOON_US, exchange, ids, text_id, write_log

_LONG = 128 << 20
"""Of one kind of character: a segment of a few kilobytes on the disk."""
_ROOM = 64 << 20
_BEGIN = f"""
import logging, resource, sys
from pathlib import Path
from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.compact import compact_once

folder = Path(sys.argv[1])
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + {_ROOM}, resource.RLIM_INFINITY))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process so")


def in_narrow_memory(folder: Path, code: str) -> str:
    command = [sys.executable, "-c", _BEGIN + code, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def add(folder: Path, time_us: int, request: str = "") -> None:
    record = Record(id=text_id(time_us), time_us=time_us, request=request)
    written = seal(folder, "exchanges", table_of("exchanges", [record]))
    publish(folder, partial(Manifest.with_segments, table="exchanges", added=written))


def test_segments_that_memory_is_too_short_for_are_named_and_not_taken_for_damaged(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    for n in range(2):
        add(tmp_path, NOON_US + n, "x" * (_LONG // 2))
    before = read_manifest(tmp_path)

    told = in_narrow_memory(tmp_path, "logging.basicConfig(stream=sys.stdout); print(compact_once(folder))")

    assert "merge_failed table=exchanges segments=" in told
    assert all(segment.path in told for segment in before.segments("exchanges"))
    assert told.endswith("False\n")
    assert list_quarantine(tmp_path) == []
    assert read_manifest(tmp_path) == before


def test_a_merge_that_memory_is_too_short_for_does_not_keep_the_others_from_being_done(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    for n in range(2):
        add(tmp_path, NOON_US + n, "x" * (_LONG // 2))
        add(tmp_path, NOON_US + DAY_US + n)

    told = in_narrow_memory(tmp_path, "print(compact_once(folder), compact_once(folder))")

    assert told == "True False\n"
    assert [segment.rows for segment in read_manifest(tmp_path).segments("exchanges")] == [1, 1, 2]


def test_a_log_that_memory_is_too_short_for_stays_and_the_others_are_absorbed(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    long = write_log(tmp_path, [exchange(NOON_US, question="x" * _LONG)])
    write_log(tmp_path, [exchange(NOON_US + 1, 1)], name="20260310T130000Z-w-000002")

    told = in_narrow_memory(tmp_path, "print(*absorb(folder, finished_logs(folder)).refused)")

    assert told.startswith(f"{long} cannot be read: memory ran out")
    assert [path.name for path in (tmp_path / "wal").iterdir()] == [long.name]
    assert ids(tmp_path) == [text_id(NOON_US), text_id(NOON_US + 1, 1)]
