"""One file of the write-ahead log on a disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from nightschool.store.durable import make_folder, open_private

_MAX_BUFFERS = 512
"""Fewer than the kernel takes in one ``writev``."""
_sync = getattr(os, "fdatasync", os.fsync)  # macOS has only the second


class LogFile(Protocol):
    """What the journal needs of a file: the real one is ``DiskLog``; tests bring slow and full ones."""

    path: Path

    def write(self, buffers: Sequence[bytes]) -> None:
        """Append all or nothing; raises OSError."""

    def sync(self) -> None: ...

    def lost(self) -> bool:
        """Somebody has deleted the file: what is written to it cannot be found any more."""

    def close(self) -> None: ...


class DiskLog:
    """A log file, locked for as long as it is open so that nobody takes it for finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        hidden = path.with_name(f".{path.name}.new")
        self._fd = open_private(hidden, os.O_WRONLY | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC)
        self._bytes = 0
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            os.link(hidden, path)  # unlike a rename, never over a log that is there
        except OSError:
            os.close(self._fd)
            raise
        finally:
            hidden.unlink()

    def write(self, buffers: Sequence[bytes]) -> None:
        if len(buffers) > _MAX_BUFFERS:
            buffers = [b"".join(buffers)]
        size = sum(map(len, buffers))
        written = os.writev(self._fd, buffers)
        if written != size:
            # The disk filled up in the middle of a frame; behind half a frame nothing could be read.
            os.ftruncate(self._fd, self._bytes)
            raise OSError(28, "No space left on device")
        self._bytes += size

    def sync(self) -> None:
        _sync(self._fd)

    def lost(self) -> bool:
        return os.fstat(self._fd).st_nlink == 0

    def close(self) -> None:
        os.close(self._fd)
