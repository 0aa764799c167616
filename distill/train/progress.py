"""How far a training is, for whoever looks from outside: ``runs/<run>/progress.json``, there only while it runs.

It is replaced as a whole, every few seconds at most. Nothing depends on it: it is not forced onto the disk, and a disk
that is full stops no training here (the next checkpoint does). A file whose run nobody holds was left by a kill.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from distill.train.points import Point, thinned
from nightschool.store.durable import UNFINISHED, open_private
from nightschool.store.lock import is_locked

FILE, LOCK = "progress.json", "lock"
EVERY_S = 2.0
MOST_POINTS = 500
_RECENT_STEPS = 50
"""Speed and time left are those of the last so many steps."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    workload: str
    dataset: str
    base_model: str
    run: str
    device: str
    step: int = 0
    steps: int = 0
    tokens_per_s: float | None = None
    seconds_left: float | None = None
    """If every step takes as long as the last ones; a training may stop earlier."""
    points: list[Point] = []
    """Of the curve so far, thinned."""


class ProgressFile:
    """Of one run, written by the process that leads it."""

    def __init__(
        self, folder: Path, about: Progress, *, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``about`` says what is trained; the rest of it is of no account."""
        self._path = folder / FILE
        self._about = about
        self._every_s, self._clock = every_s, clock
        self._due = clock()

    def tell(self, points: Sequence[Point], steps: int) -> None:
        """Hears of all points so far, those from before a kill too; writes when it is time, and at the last step."""
        now = self._clock()
        if now < self._due and len(points) < steps:
            return
        self._due = now + self._every_s
        with suppress(OSError):
            _replace(self._path, msgspec.json.encode(_standing(self._about, points, steps)))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


class Seen(NamedTuple):
    """A run that has not come to its end, as somebody else sees it."""

    progress: Progress
    running: bool
    """Else it was killed, and waits for the same command."""
    written: datetime


def read_progress(data: Path) -> list[Seen]:
    """Every run that has not come to its end."""
    found = []
    for path in sorted((data / "runs").glob(f"*/{FILE}")):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):  # it has ended just now, or was cut
            progress = msgspec.json.decode(path.read_bytes(), type=Progress)
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            found.append(Seen(progress, is_locked(path.with_name(LOCK)), written))
    return found


def _standing(about: Progress, points: Sequence[Point], steps: int) -> Progress:
    recent = points[-_RECENT_STEPS - 1 :]
    seconds = recent[-1].seconds - recent[0].seconds if len(recent) > 1 else 0.0
    known = seconds > 0
    return msgspec.structs.replace(
        about,
        step=len(points),
        steps=steps,
        tokens_per_s=round((recent[-1].tokens - recent[0].tokens) / seconds, 1) if known else None,
        seconds_left=round(seconds / (len(recent) - 1) * (steps - len(points)), 1) if known else None,
        points=thinned(points, MOST_POINTS),
    )


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + UNFINISHED)
    with open(unfinished, "wb", opener=open_private) as file:
        file.write(content)
    unfinished.replace(path)
