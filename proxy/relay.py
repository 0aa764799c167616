"""An upstream's answer on its way to the client: into the record first, then on.

    connection ──chunk alone──────────────► event ──► client      the middle of a stream: one callback, nothing waits
    connection ──whatever has arrived──► passed on ──► client     the rest: head, end, pieces of events, bodies
    look_on                                                       where something has to be waited for

The END frame is in the log before the client can know that its answer is complete.
"""

from __future__ import annotations

import asyncio
import time

from nightschool.errors import UpstreamError
from proxy.answers import error_event
from proxy.client import Client, ClientLeft
from proxy.connection import Connection
from proxy.entry import Entry
from proxy.hiding import Hiding
from proxy.journal import Journal
from proxy.stream_end import StreamEnd, goes_on

_EVENT_ENDS = (b"\n\n", b"\r\n\r\n")


class Relay:
    """Of one answer whose head has passed or waits with the client."""

    __slots__ = (
        "_at_event_end",
        "_client",
        "_connection",
        "_entry",
        "_events",
        "_hiding",
        "_journal",
        "_look",
        "_ours_since",
        "_stream_end",
        "_tail",
    )

    def __init__(
        self,
        connection: Connection,
        client: Client,
        entry: Entry,
        journal: Journal,
        *,
        events: bool,
        hiding: Hiding | None,
    ) -> None:
        """``events``: the answer is a stream of server-sent events, and not compressed: they can be read and told."""
        self._connection = connection
        self._client = client
        self._entry = entry
        self._journal = journal
        self._events = events
        self._hiding = hiding
        self._at_event_end = True
        """What the client has of it ends with a whole event."""
        self._stream_end = StreamEnd()
        self._tail: tuple[bytes, bool] | None = None
        """The last of the answer, held until the disk has its record."""
        self._ours_since = connection.last_byte_at
        """``time.perf_counter()`` since which nobody else is waited for, unless more has arrived later."""
        self._look: asyncio.Future[None] | None = None
        """What ``look_on`` waits for while the answer passes."""

    @property
    def waits(self) -> bool:
        """For something: ``look_on`` is needed."""
        return self._tail is not None or self._client.slow or self._connection.failed

    @property
    def waits_for_disk(self) -> bool:
        return self._tail is not None

    def arrived(self) -> None:
        """Pass on what has, unless something has to be waited for."""
        connection, client = self._connection, self._client
        over = client.response_complete or client.disconnected
        if connection.has_data and self._tail is None and not client.slow and not over:
            self._pass_on(connection)

    def look_again(self) -> None:
        """Wake ``look_on``."""
        if self._look is not None and not self._look.done():
            self._look.set_result(None)

    async def look_on(self) -> None:
        """See the answer through to its end; raises what ends it before, ``ClientLeft`` or ``UpstreamError``."""
        client, connection = self._client, self._connection
        while not client.response_complete:
            if client.disconnected:
                raise ClientLeft
            if self._tail is not None:
                await self._journal.durable()
                (data, ended), self._tail = self._tail, None
                self._write(data, ended)
            elif client.slow:
                await client.drain()
                self._ours_since = time.perf_counter()
            elif connection.has_data:
                self._pass_on(connection)
            elif connection.failed:
                connection.raise_error()
            else:
                self._look = asyncio.get_running_loop().create_future()
                await self._look
                self._look = None

    def _pass_on(self, connection: Connection) -> None:
        entry = self._entry
        began = max(connection.last_byte_at, self._ours_since)
        data = connection.take()
        ended = connection.finished
        if data:
            entry.feed(data, connection.last_byte_at)
        if not entry.ended and (ended or (self._events and self._stream_end.is_in(data))):
            entry.spend(time.perf_counter() - began)
            entry.end(complete=True)
            if self._journal.waits_for_disk:
                self._tail = (data, ended)
                return
        self._write(data, ended)
        between = self._events and not entry.ended and data.endswith(_EVENT_ENDS) and self._client.in_chunks
        connection.on_chunk = self._pass_event if between else None
        entry.spend(time.perf_counter() - began)

    def _write(self, data: bytes, ended: bool) -> None:
        if self._hiding is not None:
            data = self._hiding.feed(data, ended=ended)
        if ended:
            self._client.finish(data)
        elif data:
            self._at_event_end = data.endswith(_EVENT_ENDS)
            self._client.write(data)

    def _pass_event(self, event: bytes) -> bool:
        """Pass on one in the middle of a stream, which is at the end of the one before; False: ``arrived`` has to."""
        connection, client, entry = self._connection, self._client, self._entry
        if client.slow or not goes_on(event):
            return False
        entry.feed(event, connection.last_byte_at)
        if self._hiding is not None:
            event = self._hiding.feed(event, ended=False)
        client.write_now(event)
        entry.spend(time.perf_counter() - connection.last_byte_at)
        return True

    def finish(self) -> None:
        """Nothing more will come, and nothing is missing."""
        self._client.finish(self._hiding.feed(b"", ended=True) if self._hiding is not None else b"")

    def break_off(self, error: UpstreamError) -> None:
        """Tell the client in the way that is left."""
        if self._events:
            tell_in_stream(self._client, error, at_event_end=self._at_event_end)
        elif self._hiding is not None:
            self._client.write(self._hiding.cut())
        # Nothing can be said any more: an answer left short closes the connection, and the client sees the cut.


def tell_in_stream(client: Client, error: UpstreamError, *, at_event_end: bool) -> None:
    """End a stream of events with one that says why."""
    event = error_event(f"nightschool: {error}", error.error_type, code=error.error_type)
    client.finish(event if at_event_end else b"\n\n" + event)
