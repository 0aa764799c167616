"""How far a night is: ``data/nights/<workload>.json``, there only while it runs, or after it was killed.

A file whose process is gone is a night to be begun again: every stage finds what it had done before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from distill.dataset.snapshot import place_of
from distill.night.report import nights_of
from nightschool.errors import StoreBusy
from nightschool.store.durable import make_folder, new_file
from nightschool.store.lock import is_locked, lock_at_once

Stage = Literal["dataset", "train", "load", "evaluate", "gate", "promote"]
_PATIENCE_S = 0.2
"""With the lock: somebody may only be looking whether it is held."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    workload: str
    started: str
    stage: Stage
    since: str
    """Beginning of the stage."""
    pid: int


class Night:
    """One that runs."""

    def __init__(self, path: Path, workload: str) -> None:
        self._path, self._workload = path, workload
        self.started = now()

    def enter(self, stage: Stage) -> None:
        standing = Standing(workload=self._workload, started=self.started, stage=stage, since=now(), pid=os.getpid())
        with new_file(self._path) as file:
            file.write(msgspec.json.encode(standing))


@contextmanager
def only_night(data: Path, workload: str) -> Iterator[Night]:
    """The one night of a workload that runs now; raises StoreBusy. However it ends but by a kill, its file goes."""
    folder = nights_of(data)
    make_folder(folder)
    name = place_of(data, workload).name
    path = folder / f"{name}.json"
    with lock_at_once(_lock_of(data, workload), patience_s=_PATIENCE_S) as held:
        if not held:
            raise StoreBusy(f"a night of {workload} is running already", remedy="wait for its end")
        try:
            yield Night(path, workload)
        finally:
            path.unlink(missing_ok=True)


def standing_nights(data: Path) -> list[Standing]:
    """Nights that run, or were killed."""
    found = []
    for path in sorted(nights_of(data).glob("*.json")):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, FileNotFoundError):
            # else it has ended just now, or was cut by a full disk
            found.append(msgspec.json.decode(path.read_bytes(), type=Standing))
    return found


def is_running(data: Path, workload: str) -> bool:
    """Whether somebody runs a night of the workload just now."""
    return is_locked(_lock_of(data, workload))


def _lock_of(data: Path, workload: str) -> Path:
    return nights_of(data) / f"{place_of(data, workload).name}.lock"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
