"""What waits for a disk that is slow: filled by the event loop, emptied by the journal's thread.

Whoever may write is decided here, under one lock that is never held during a write: while the disk is ``behind`` only
the thread does, else only the loop.
"""

from __future__ import annotations

import threading
from collections import deque

from proxy.log import Portion

DRAIN_BYTES = 1 << 20
"""Of one log are written together: what is slow is mostly the write, not its length."""


class Backlog:
    """Portions in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._portions: deque[Portion] = deque()
        self.bytes = 0
        """That wait, the portion that is being written included."""
        self.behind = False

    def __len__(self) -> int:
        return len(self._portions)

    def fall_behind(self) -> bool:
        """From now on the thread writes; False where it did before."""
        with self._lock:
            before, self.behind = self.behind, True
        return not before

    def put(self, portion: Portion, most_bytes: int) -> bool | None:
        """Leave it to the thread: True, or False where ``most_bytes`` would be exceeded.

        None: the thread has caught up meanwhile, and the loop is to write.
        """
        with self._lock:
            if not self.behind:
                return None
            if self.bytes + portion.bytes > most_bytes:
                return False
            self._portions.append(portion)
            self.bytes += portion.bytes
        return True

    def take(self, *, quick: bool) -> Portion | None:
        """The oldest, with those behind it that go to the same log; ``written`` is to follow.

        None when nothing waits; if the disk is ``quick`` again, the loop writes from then on.
        """
        with self._lock:
            if not self._portions:
                self.behind = self.behind and not quick
                return None
            target, buffers, frames, size = self._portions.popleft()
            buffers = list(buffers)
            while self._portions and self._portions[0].log is target and size + self._portions[0].bytes <= DRAIN_BYTES:
                following = self._portions.popleft()
                buffers += following.buffers
                frames += following.frames
                size += following.bytes
        return Portion(target, buffers, frames, size)

    def written(self, portion: Portion) -> None:
        """It does not wait any more, whether the disk took it or not."""
        with self._lock:
            self.bytes -= portion.bytes

    def give_up(self) -> int:
        """Drop all that waits; returns how many frames that were."""
        with self._lock:
            frames = sum(portion.frames for portion in self._portions)
            self.bytes -= sum(portion.bytes for portion in self._portions)
            self._portions.clear()
        return frames
