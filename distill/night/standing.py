"""How far a night is: ``data/nights/<workload>.json``, there only while it runs, or after it was killed.

A file whose process is gone is a night to be begun again: every stage finds what it had done before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from distill.dataset.snapshot import place_of
from distill.night.report import nights_of
from nightschool.errors import StoreBusy
from nightschool.store.durable import make_folder, new_file
from nightschool.store.lock import lock_at_once

Stage = Literal["dataset", "train", "load", "evaluate", "gate", "promote"]


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
    with lock_at_once(folder / f"{name}.lock") as held:
        if not held:
            raise StoreBusy(f"a night of {workload} is running already", remedy="wait for its end")
        try:
            yield Night(path, workload)
        finally:
            path.unlink(missing_ok=True)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
