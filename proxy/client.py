"""The client's side of one exchange, directly on uvicorn's connection.

uvicorn parses the request and keeps the connection (keep-alive, pipelining, draining); what ASGI would add per message,
a dictionary, a coroutine and a write for each, is a third of the cost of a small answer and is left out. To uvicorn
this is the ``RequestResponseCycle`` of its connection: ``response_complete``, ``disconnected``, ``keep_alive``,
``body``, ``more_body``, ``message_event`` and ``run_asgi`` are its names.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

from proxy.chunk import chunk
from proxy.request_head import RequestHead
from proxy.turn import Turn

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_BODILESS = (204, 304)


class ClientLeft(Exception):
    """The client closed its connection before it had its answer."""


class Stopped(Exception):
    """The proxy ends, and has no more time for the answer."""


class ClientConnection(Protocol):
    """What is used of the connection."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    flow: FlowControl
    turn: Turn

    async def answer(self, client: Client) -> None: ...

    def start_task(self, work: Coroutine[Any, Any, None]) -> None: ...

    def on_response_complete(self) -> None: ...

    def read_on(self) -> None: ...


class Client:
    """One request, and the way back for its answer."""

    __slots__ = (
        "_chunked",
        "_expects_100",
        "_head_lines",
        "_knows_chunks",
        "_no_body",
        "_protocol",
        "_waiter",
        "arrived_at",
        "body",
        "disconnected",
        "head",
        "keep_alive",
        "length",
        "method",
        "more_body",
        "on_cut",
        "query",
        "raw_path",
        "response_complete",
        "started",
        "time_us",
    )

    def __init__(
        self,
        protocol: ClientConnection,
        *,
        method: bytes,
        raw_path: bytes,
        query: bytes,
        head: RequestHead,
        length: int | None,
        keep_alive: bool,
        knows_chunks: bool,
        body: bytes | None = None,
    ) -> None:
        """``body``: all of it, where it is here already."""
        self.arrived_at = time.perf_counter()
        """Of the head, as ``time_us``."""
        self.time_us = time.time_ns() // 1000
        """Since 1970."""
        self.method = method
        self.raw_path = raw_path
        """Still percent-encoded."""
        self.query = query
        self.head = head
        self.length = length
        """What ``Content-Length`` says; None for a chunked body, or none."""
        self.on_cut: Callable[[Exception], None] | None = None
        """Called when the answer cannot be completed, with ``ClientLeft`` or ``Stopped``."""
        self.started = False
        """The answer has begun."""
        self.response_complete = False
        self.disconnected = False
        self.keep_alive = keep_alive
        self.body: bytes | bytearray = bytearray() if body is None else body
        self.more_body = body is None
        self._protocol = protocol
        self._expects_100 = head.expects_100
        self._knows_chunks = knows_chunks
        """HTTP/1.0 does not: there the end of the connection is the end of the answer."""
        self._waiter: asyncio.Future[None] | None = None
        self._head_lines = b""
        self._chunked = False
        self._no_body = False

    # -- for uvicorn

    async def run_asgi(self, _: object) -> None:
        """Answer the request; nothing is raised but cancellation."""
        await self._protocol.answer(self)
        self.leave()

    @property
    def message_event(self) -> Client:
        return self

    def set(self) -> None:
        """More of the request has come, or the client has left."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self.disconnected and self.on_cut is not None:
            self.on_cut(ClientLeft())

    # -- for the proxy's own end

    def stop(self) -> None:
        """The answer will not be completed."""
        if not self.response_complete and self.on_cut is not None:
            self.on_cut(Stopped())

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """What has to wait for something, beside; the proxy waits for it when it ends."""
        self._protocol.start_task(work)

    def leave(self) -> None:
        """Nobody goes on with the answer."""
        if not self.response_complete:
            # Left short on purpose: only a closed connection tells the client that something is missing.
            self._protocol.turn.close(self._protocol.transport)

    # -- the request

    def whole_body(self) -> bytes:
        """Of a request that is here in full."""
        return bytes(self.body)

    async def read(self) -> tuple[bytes, bool]:
        """The next piece of the body and whether more follow; raises ``ClientLeft``."""
        if self._expects_100:
            self._expects_100 = False
            self._protocol.turn.write(self._protocol.transport, b"HTTP/1.1 100 Continue\r\n\r\n")
        while self.more_body and not self.body and not self.disconnected:
            self._protocol.flow.resume_reading()
            self._waiter = self._protocol.loop.create_future()
            await self._waiter
        if self.disconnected:
            raise ClientLeft
        data = bytes(self.body)
        self.body = bytearray()
        if not self.more_body and self._protocol.flow.read_paused:
            self._protocol.read_on()  # a long body has paused it, and nobody else would ask for more
        return data, self.more_body

    # -- the answer

    def start(self, status: int, lines: list[bytes], content_length: bytes | None) -> None:
        """Status and header lines; they wait for the first of the body, or for ``flush``.

        ``content_length`` is the line with the body's length; without one the body goes out in chunks.
        """
        self.started = True
        self._no_body = self.method == b"HEAD" or status in _BODILESS
        self._chunked = content_length is None and not self._no_body and self._knows_chunks
        framing = content_length or (b"transfer-encoding: chunked\r\n" if self._chunked else b"")
        closing = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        status_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        self._head_lines = b"".join((status_line, *lines, framing, closing))

    def flush(self) -> None:
        """Send the head if it still waits."""
        if self._head_lines and not self.disconnected:
            self._protocol.turn.write(self._protocol.transport, self._head_lines)
            self._head_lines = b""

    def write(self, data: bytes) -> None:
        """Some of the body; while ``slow``, ``await drain()`` before the next."""
        if self.disconnected or self._no_body or not data:
            return
        if self._chunked:
            data = chunk(data)
        if self._head_lines:
            data = self._head_lines + data
        self._protocol.turn.write(self._protocol.transport, data)
        self._head_lines = b""

    def write_now(self, data: bytes) -> None:
        """Some of the body, in the middle of an answer in chunks (``in_chunks``) whose head is on its way."""
        if not self.disconnected and data:
            self._protocol.turn.write_now(self._protocol.transport, chunk(data))

    @property
    def in_chunks(self) -> bool:
        """The answer goes out in chunks, and its head is on its way."""
        return self._chunked and not self._head_lines

    def finish(self, data: bytes = b"") -> None:
        """The last of the body; the answer is complete."""
        if self.disconnected:
            return
        self.response_complete = True
        if self._no_body:
            data = self._head_lines
        elif not self._chunked:
            data = self._head_lines + data
        else:
            data = self._head_lines + chunk(data) + b"0\r\n\r\n"
        self._head_lines = b""
        protocol = self._protocol
        if data:
            protocol.turn.write(protocol.transport, data)
        if not self.keep_alive:
            protocol.turn.close(protocol.transport)
        protocol.on_response_complete()

    @property
    def slow(self) -> bool:
        """The client does not read as fast as it is written to: wait with ``drain``."""
        return self._protocol.flow.write_paused

    async def drain(self) -> None:
        """Returns once the client has caught up, or left."""
        await self._protocol.flow.drain()
