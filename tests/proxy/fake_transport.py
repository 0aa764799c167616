"""Both ends that a connection is tested between: a transport in memory, and a peer on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from proxy.connection import Connection
from proxy.turn import Turn

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def a_turn() -> Turn:
    """Nothing is logged at its end."""
    return Turn(lambda: None)


class MemoryTransport(asyncio.Transport):
    """Keeps what is written to it; closes as asyncio's do, by telling the protocol in the next round of the loop."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.written = bytearray()
        self.reading = True
        self._protocol = protocol
        self._closing = False
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    close = abort


class Peer:
    """A server on 127.0.0.1; ``handler`` sees each of its connections to the end."""

    def __init__(self, handler: Handler) -> None:
        self.port = 0
        self.connections = 0
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    async def see_through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task: Any = asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has gone, or the test is over
        finally:
            writer.close()
            self._tasks.discard(task)

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def peer(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """A ``Peer`` that listens until the block ends."""
    listening = Peer(handler)
    server = await asyncio.start_server(listening.see_through, "127.0.0.1", 0, ssl=tls)
    listening.port = server.sockets[0].getsockname()[1]
    try:
        yield listening
    finally:
        server.close()
        await listening.end()
        await asyncio.sleep(0)  # transports close in the next round of the loop


def answering(*answers: bytes, then_close: bool = False) -> Handler:
    """One of ``answers`` for each request head that arrives on a connection, the last of them again and again."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for count in range(1_000):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answers[min(count, len(answers) - 1)])
            await writer.drain()
            if then_close:
                return

    return handler


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """A connection to the peer on that port, closed when the block ends."""
    loop = asyncio.get_running_loop()
    connection = Connection("main", loop, a_turn())
    await loop.create_connection(lambda: connection, "127.0.0.1", port)
    try:
        yield connection
    finally:
        connection.close()
        await asyncio.sleep(0)


def ask(connection: Connection, *, bodiless: bool = False, first_byte_s: float = 5.0, idle_s: float = 2.0) -> None:
    """Send a request without a body."""
    connection.start(
        b"GET /v1/models HTTP/1.1\r\nhost: main\r\n\r\n",
        b"",
        bodiless=bodiless,
        first_byte_s=first_byte_s,
        idle_s=idle_s,
    )


async def rest(connection: Connection) -> bytes:
    """The body, to its end."""
    body = bytearray()
    while data := await connection.read():
        body += data
    return bytes(body)
