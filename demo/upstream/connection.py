"""One connection to the scripted upstream: bytes -> requests, answered one after the other.

HTTP/1.1 is spoken by hand, so that an answer can break it anywhere.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Awaitable, Callable

import httptools

from demo.upstream.seen import Seen

HIGH_WATER_BYTES = 64 * 1024
Answer = Callable[["Connection", Seen], Awaitable[None]]


class Connection(asyncio.Protocol):
    """Parses requests as they come and runs ``answer`` for each, from the moment its head is complete."""

    transport: asyncio.Transport

    def __init__(self, number: int, answer: Answer, live: set[Connection]) -> None:
        self.number = number
        self.served = 0
        self._answer = answer
        self._live = live
        """Every connection that is open: joined when it is, left when it is lost."""
        self._waiting: deque[Seen] = deque()
        self._arrival = asyncio.Event()
        self._body_arrival = asyncio.Event()
        self._writable = asyncio.Event()
        self._reading: Seen | None = None
        self._answering: Seen | None = None
        self._parser = httptools.HttpRequestParser(self)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._live.add(self)
        transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._writable.set()
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            body = f"the scripted upstream cannot parse this: {error}\n".encode()
            head = f"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
            self.transport.write(head.encode() + body)
            self.transport.close()

    def eof_received(self) -> None:
        self._client_left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_left()
        self._writable.set()
        self._task.cancel()
        self._live.discard(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools

    def on_message_begin(self) -> None:
        self._reading = Seen(connection=self.number)

    def on_url(self, url: bytes) -> None:
        assert self._reading is not None
        self._reading.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._reading is not None
        self._reading.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        assert self._reading is not None
        self._reading.method = self._parser.get_method().decode()
        self._reading.arrived = time.monotonic()
        self._waiting.append(self._reading)
        self._arrival.set()

    def on_body(self, body: bytes) -> None:
        assert self._reading is not None
        self._reading.receive(body)

    def on_message_complete(self) -> None:
        assert self._reading is not None
        self._reading.body_complete = True
        self._body_arrival.set()

    # for the answer

    async def body(self, seen: Seen) -> None:
        """Wait until the request's body is there, asking for it where the client waits to be asked."""
        if (seen.header("expect") or "").lower() == "100-continue" and not seen.body_complete:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not seen.body_complete:
            self._body_arrival.clear()
            await self._body_arrival.wait()

    async def write(self, data: bytes) -> None:
        """Write, and wait while the client reads more slowly than we write."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client has left")
        self.transport.write(data)
        if self._answering is not None:
            self._answering.sent_bytes += len(data)
        await self._writable.wait()

    def finish(self) -> None:
        """The answer has been given: what the client does from here on is no cancellation."""
        if self._answering is not None and self._answering.open:
            self._answering.answered = time.monotonic()

    def close(self) -> None:
        """Close once everything written is sent."""
        self.finish()
        self.transport.close()

    def reset(self) -> None:
        """Close so that the client sees a reset, not an end."""
        self.finish()
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # inside

    async def _serve(self) -> None:
        try:
            while True:
                await self._arrival.wait()
                self._arrival.clear()
                while self._waiting:
                    await self._answer_one(self._waiting.popleft())
        except ConnectionResetError:
            self._client_left()
        finally:
            if not self.transport.is_closing():
                self.transport.abort()

    async def _answer_one(self, seen: Seen) -> None:
        self._answering = seen
        await self._answer(self, seen)
        self.finish()
        self._answering = None
        self.served += 1

    def _client_left(self) -> None:
        if self._answering is not None and self._answering.open:
            self._answering.cancelled = time.monotonic()
