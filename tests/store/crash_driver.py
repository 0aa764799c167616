"""Kills the store's work at every single step that it takes in the file system, and looks what is there then.

Run as a process of its own: ``python -m tests.store.crash_driver FOLDER`` prints one line of JSON, the number of steps
and what went wrong. Each step is tried in a forked child, which an audit hook kills just before the step. The parent
must stay free of threads, so it touches neither pyarrow nor DuckDB.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightschool.store.absorb import absorb, clear_absorbed, finished_logs
from nightschool.store.compact import compact_once
from nightschool.store.manifest import TABLES, prepare_folder, read_manifest
from nightschool.store.retention import drop_older
from nightschool.store.sweep import sweep
from tests.store.logs import DAY_US, HOUR_US, NOON_US, exchange, feedback, ids, rows, text_id, write_log

STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}
OLD_US = NOON_US - 100 * DAY_US
TIMES = [NOON_US + n * HOUR_US // 2 for n in range(5)]
KEPT = [text_id(time_us, n) for n, time_us in enumerate(TIMES)]


def prepare(folder: Path) -> None:
    """Segments to merge, a segment that is too old, and two logs, the second of them across an hour."""
    prepare_folder(folder)
    write_log(folder, [exchange(TIMES[0], 0), exchange(OLD_US, 0)], "0-1")
    absorb(folder, finished_logs(folder))
    write_log(folder, [exchange(TIMES[2], 2), feedback(TIMES[2], 2)], "1-1")
    write_log(folder, [exchange(TIMES[n], n) for n in (1, 3, 4)], "1-2")


def work(folder: Path) -> None:
    """What the recorder does, once, with nothing left for later."""
    clear_absorbed(folder)
    absorb(folder, finished_logs(folder))
    drop_older(folder, NOON_US - DAY_US)
    while compact_once(folder):
        pass
    sweep(folder, grace_s=0)


def check_rows(folder: Path) -> None:
    """Every exchange that was acknowledged is there once, wherever the work was killed."""
    kept = [identity for identity in ids(folder) if identity in set(KEPT)]
    assert kept == KEPT, kept
    assert rows(folder, "select count(*) from feedback") == [(1,)]


def check(folder: Path) -> None:
    """All is there; and after a restart it still is, and nothing is left of the crash."""
    check_rows(folder)
    work(folder)
    assert ids(folder) == KEPT
    assert not list((folder / "wal").iterdir())
    manifest = read_manifest(folder)
    named = {segment.path for name in TABLES for segment in manifest.segments(name)}
    for path in folder.glob("*/date=*/**/*"):
        os.utime(path, (0, 0))  # an orphan is swept when it is old
    sweep(folder, grace_s=0)
    assert {path.relative_to(folder).as_posix() for path in folder.glob("*/date=*/**/*.parquet*")} == named
    assert (manifest.absorbed, len(manifest.segments("exchanges"))) == ((), 1)


def in_child(action: Callable[..., Any], *arguments: Any) -> int:
    """Run in a fork; returns its exit code, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            action(*arguments)
        except BaseException as error:  # noqa: BLE001  the edge of a process: its parent reads the code and stderr
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_before_step(number: int, folder: Path) -> None:
    """Do the work, and die by SIGKILL before its step ``number``."""
    steps = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal steps
        creates = event == "open" and arguments[2] & os.O_CREAT
        if (event in STEPS or creates) and str(folder) in str(arguments[0]):
            steps += 1
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    work(folder)


def main() -> None:
    template, folder = Path(sys.argv[1]) / "template", Path(sys.argv[1]) / "store"
    assert in_child(prepare, template) == 0
    problems: list[str] = []
    number, code = 0, -signal.SIGKILL
    while code == -signal.SIGKILL:
        number += 1
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        code = in_child(killed_before_step, number, folder)
        if in_child(check, folder):
            problems.append(f"before step {number}")
    print(json.dumps({"steps": number - 1, "last": code, "problems": problems}))


if __name__ == "__main__":
    main()
