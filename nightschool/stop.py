"""When a process is to end: a signal has arrived, or the pipe that its parent holds is closed."""

from __future__ import annotations

import os
import select
import signal

_AGAIN_S = 1.0


class Stop:
    """Becomes true, and stays so.

    A pipe and not an event: the handler of a signal runs in the middle of the main thread's wait, and ``Event.set``
    would wait there for a lock that the thread below it holds.
    """

    def __init__(self, pipe: int | None = None) -> None:
        self._reading, self._writing = os.pipe()
        self._watched = [self._reading] if pipe is None else [self._reading, pipe]
        self._requested = False

    def on_signals(self) -> None:
        """SIGTERM and SIGINT request it from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.request())

    def request(self) -> None:
        os.write(self._writing, b".")

    def wait(self, timeout_s: float) -> bool:
        """True once it is time to end; waits for that ``timeout_s`` at the most."""
        if not self._requested:
            self._requested = bool(select.select(self._watched, [], [], max(0.0, timeout_s))[0])
        return self._requested

    def wait_long(self) -> None:
        """Returns when it is time to end."""
        while not self.wait(_AGAIN_S):  # a signal that another thread took is seen here at the latest
            pass

    def __call__(self) -> bool:
        return self.wait(0)
