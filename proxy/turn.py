"""What is written at the end of a turn of the event loop, when all that has arrived in it has been looked at.

    log (the ENDs of all answers that are complete by now, in one write) -> sockets

Under load one write of the log serves several exchanges, and whoever reads the sockets is woken once for several
writes; waking is what a write costs most. An exchange that is alone waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MOST_BYTES = 256 * 1024
"""That wait; more is written at once, so that whoever writes learns that nobody keeps up."""


class Turn:
    """Of one event loop. What is written to a transport comes out in order; ``log`` is called before."""

    def __init__(self, log: Callable[[], None]) -> None:
        self._log = log
        self._writes: list[tuple[asyncio.WriteTransport, bytes | None]] = []
        self._bytes = 0
        self._ends = False
        """It is on its way."""

    def write(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        self._writes.append((transport, data))
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            self.end()
        elif not self._ends:
            self.ask()

    def write_now(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        """Of an answer that goes on, so that nothing has to be in the log before."""
        if self._writes:  # some of which may be for this transport
            self.write(transport, data)
        elif not transport.is_closing():
            transport.write(data)

    def close(self, transport: asyncio.WriteTransport) -> None:
        """Behind what is written to it."""
        self._writes.append((transport, None))
        self.ask()

    def ask(self) -> None:
        """Have it end, though nothing is written to a socket."""
        if not self._ends:
            self._ends = True
            asyncio.get_running_loop().call_soon(self.end)

    def end(self) -> None:
        """Write now, in the middle of the turn too."""
        self._ends = False
        self._bytes = 0
        writes, self._writes = self._writes, []
        try:
            self._log()
        finally:
            for transport, data in writes:
                if data is None:
                    transport.close()
                elif not transport.is_closing():
                    transport.write(data)
