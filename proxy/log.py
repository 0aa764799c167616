"""A write-ahead log of this worker, and frames that are to be written to it together."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from nightschool.store import wal
from proxy.log_file import LogFile


class Log:
    """One log and who still writes to it."""

    def __init__(self, path: Path, header: wal.Header) -> None:
        self.path = path
        self.header = header
        self.opened_at = time.monotonic()
        self.bytes = self.frames = 0
        """Written."""
        self.synced_frames = 0
        """Of those, the ones of which the disk has said whether it keeps them."""
        self.sync_failed = False
        """The disk did not keep some of what it took."""
        self.open_exchanges = 0
        self.retired = False
        self.pending: list[bytes] = []
        """Frames that wait to be written together: at the end of the turn if there is an END, else with the tick."""
        self.pending_frames = 0
        self.pending_bytes = 0
        self.ends_wait = False
        """An END is among them."""
        self.dirty = False
        """Written to since the last sync."""
        self.deleted = False
        """By somebody else: what is written to it cannot be found."""
        self.file: LogFile | None = None
        """None until the first frame is written."""

    def pend(self, buffers: list[bytes]) -> None:
        """Add a frame to what waits."""
        self.pending += buffers
        self.pending_frames += 1
        self.pending_bytes += sum(map(len, buffers))

    def portion(self, buffers: list[bytes]) -> Portion:
        """What waits, and behind it one more frame if there are ``buffers``; nothing waits any more."""
        frames = self.pending_frames + (1 if buffers else 0)
        size = self.pending_bytes + sum(map(len, buffers))
        if self.pending:
            buffers = self.pending + buffers
            self.pending = []
            self.pending_frames = self.pending_bytes = 0
        return Portion(self, buffers, frames, size)


class Portion(NamedTuple):
    """Frames for one log that are written together."""

    log: Log
    buffers: list[bytes]
    frames: int
    bytes: int
