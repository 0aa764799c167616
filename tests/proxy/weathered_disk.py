"""A disk that tests make slow, full or silent."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from proxy.log_file import DiskLog


class Disk:
    """A disk with weather. What it accepts is really written, so that it can be read back."""

    def __init__(self) -> None:
        self.write_s = 0.0
        self.full = False
        self.writes = 0
        """So far."""
        self.write_gate = threading.Event()
        self.sync_gate = threading.Event()
        self.write_gate.set()
        self.sync_gate.set()
        self.synced_bytes: dict[str, int] = {}

    def open_file(self, path: Path) -> WeatheredLog:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return WeatheredLog(path, self)


class WeatheredLog(DiskLog):
    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk

    def write(self, buffers: Sequence[bytes]) -> None:
        self._disk.write_gate.wait()
        self._disk.writes += 1
        if self._disk.write_s:
            time.sleep(self._disk.write_s)
        if self._disk.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().write(buffers)

    def sync(self) -> None:
        size = self.path.stat().st_size
        self._disk.sync_gate.wait()
        super().sync()
        self._disk.synced_bytes[self.path.name] = size
