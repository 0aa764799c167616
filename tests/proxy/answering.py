"""A server behind uvicorn whose API is one function, and clients on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn

from proxy.client import Client
from proxy.server import build_server
from tests.proxy.fake_transport import a_turn

Answer = Callable[[Client], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

TEXT = [b"content-type: text/plain\r\n"]
GET = b"GET /v1/models HTTP/1.1\r\nhost: proxy\r\n\r\n"


class Desk:
    """A door behind which there is one ``answer``."""

    def __init__(self, answer: Answer) -> None:
        self.turn = a_turn()
        self._answer = answer

    def answer_at_once(self, client: Client) -> None:
        client.start_task(self._see_through(client))

    async def answer(self, client: Client) -> None:
        await self._answer(client)

    async def _see_through(self, client: Client) -> None:
        await self._answer(client)
        client.leave()


async def nothing_to_say(scope: object, receive: object, send: Callable[[Any], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def serving(answer: Answer, application: Application = nothing_to_say) -> AsyncIterator[int]:
    """The port of a server whose API is ``answer``."""
    async with running(answer, application) as (_, port):
        yield port


@contextlib.asynccontextmanager
async def running(
    answer: Answer, application: Application = nothing_to_say
) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """The server itself, and its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = build_server(Desk(answer), application, drain_s=1.0)
    serves = asyncio.ensure_future(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serves


@contextlib.asynccontextmanager
async def asked(answer: Answer, request: bytes = GET) -> AsyncIterator[Streams]:
    """A connection on which ``request`` has been sent."""
    async with serving(answer) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        try:
            yield reader, writer
        finally:
            writer.close()


async def all_of(answer: Answer, request: bytes) -> bytes:
    """Everything that comes back until the server closes the connection."""
    async with asked(answer, request) as (reader, _):
        return await asyncio.wait_for(reader.read(), 5)


async def exactly(reader: asyncio.StreamReader, expected: bytes) -> None:
    assert await asyncio.wait_for(reader.readexactly(len(expected)), 5) == expected


async def nothing(reader: asyncio.StreamReader) -> bool:
    """No byte has come for a while."""
    with contextlib.suppress(TimeoutError):
        return not await asyncio.wait_for(reader.read(1), 0.1)
    return True


def get(*headers: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    return b"\r\n".join([method + b" /v1/models HTTP/" + version, b"host: proxy", *headers, b"", b""])


async def in_pieces(client: Client) -> None:
    client.start(200, TEXT, None)
    for piece in (b"one ", b"", b"two "):
        client.write(piece)
    client.finish(b"three")


async def of_known_length(client: Client) -> None:
    client.start(200, [], b"content-length: 5\r\n")
    client.write(b"he")
    client.finish(b"llo")
