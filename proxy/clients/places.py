"""Numbers that all workers of a proxy share: each writes in a place of its own, and reads those of all.

A file per set of numbers, mapped into memory by every worker. Nobody waits for anybody: a worker that stands still in
the middle of something holds nothing up.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
from pathlib import Path

MOST_PLACES = 256
"""As many as a proxy may have workers."""

log = logging.getLogger("nightschool.clients")


class Places:
    """This worker's number among the workers; it is free again when the process ends.

    Without a folder, or where it cannot be written to, its numbers are its own.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._descriptor, self.number = -1, 0
        if folder is not None:
            try:
                self._descriptor, self.number = _taken(folder)
            except OSError as error:
                self._folder = None
                log.error("places_not_shared cause=%r; each worker counts for itself", str(error))

    def doubles(self, name: str, each: int) -> memoryview[float]:
        """``each`` numbers for every place, all of them zero at first; the number before them counts the places.

        More precisely, it is one more than the highest place that was ever taken there. Raises OSError.
        """
        size = 8 * (1 + MOST_PLACES * each)
        if self._folder is None:
            return own_doubles(each)
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for microseconds, at the start or a change of configuration
            if os.fstat(descriptor).st_size < size:
                os.pwrite(descriptor, bytes(size), 0)  # a hole would end this process when the disk is full
            view = memoryview(mmap.mmap(descriptor, size)).cast("d")
            view[0] = max(view[0], self.number + 1.0)
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # the mapping keeps a descriptor of its own, and so the lock
            os.close(descriptor)
        return view

    def leave(self) -> None:
        """Give up the number before the process ends."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def own_doubles(each: int) -> memoryview[float]:
    """The same for one worker alone, whose place is the first."""
    view: memoryview[float] = memoryview(bytearray(8 * (1 + each))).cast("d")
    view[0] = 1.0
    return view


def _taken(folder: Path) -> tuple[int, int]:
    """The first number that nobody has, and the descriptor whose lock keeps it."""
    for number in range(MOST_PLACES):
        descriptor = os.open(folder / f"place-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return descriptor, number
    raise OSError(f"{MOST_PLACES} workers share {folder} already")
