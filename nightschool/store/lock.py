"""Advisory locks (flock): they go with the process that holds them, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightschool.store.durable import open_private


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold ``path``; waits for as long as somebody else does."""
    descriptor = open_private(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def lock_at_once(path: Path, *, patience_s: float = 0.0) -> Iterator[bool]:
    """Hold ``path`` if nobody else does: yields whether it is held.

    With some patience, somebody who only asks whether it is locked (``is_locked``) is not taken for a holder.
    """
    descriptor = open_private(path, os.O_RDWR)
    deadline = time.monotonic() + patience_s
    try:
        while not (held := _taken(descriptor, fcntl.LOCK_EX)) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield held
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """True while another process, or another open file of this one, holds the lock.

    Changes nothing, and needs only to read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _taken(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
