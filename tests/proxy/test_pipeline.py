"""Requests that wait on a connection for the answer to another: who leaves is noticed, and what waits is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.client import Client, ClientLeft, Stopped
from proxy.server import MOST_WAITING, FrontProtocol, build_server, stop_requests
from tests.proxy.answering import GET, Desk, exactly, get, in_pieces, nothing_to_say, of_known_length, running, serving
from tests.proxy.fake_transport import MemoryTransport

APPLICATION = b"GET /nightschool HTTP/1.1\r\nhost: proxy\r\n\r\n"
LONG = get(b"content-length: 200000", method=b"POST") + bytes(200_000)
HELLO = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"


class Waits:
    """Is answered by nobody; knows why it was cut."""

    def __init__(self) -> None:
        self.cut: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
        self.begun = 0

    async def answer(self, client: Client) -> None:
        self.begun += 1
        while (await client.read())[1]:
            pass
        client.on_cut = self.cut.set_result
        await self.cut


@pytest.mark.parametrize(
    "behind",
    [b"", GET, GET * (MOST_WAITING - 1), APPLICATION, GET + APPLICATION + GET, LONG[:1000]],
    ids=["nothing", "one", "as many as wait", "one for the application", "several", "a part of one"],
)
@pytest.mark.parametrize("first", [GET, LONG], ids=["short", "long"])
async def test_a_client_that_leaves_is_noticed_by_the_request_that_is_answered(first: bytes, behind: bytes) -> None:
    waits = Waits()
    async with serving(waits.answer) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(first + behind)
        while not waits.begun:
            await asyncio.sleep(0.01)
        await writer.drain()
        writer.close()

        assert isinstance(await asyncio.wait_for(waits.cut, 5), ClientLeft)
        await asyncio.sleep(0.05)
    assert waits.begun == 1


async def test_a_client_that_leaves_is_noticed_by_a_later_one_when_its_turn_has_come() -> None:
    waits = Waits()

    async def answer(client: Client) -> None:
        await (waits.answer if client.head.by_name.get(b"x-waits") else of_known_length)(client)

    async with serving(answer) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET * 2 + get(b"x-waits: yes") + GET * 2)
        await exactly(reader, HELLO * 2)
        writer.close()

        assert isinstance(await asyncio.wait_for(waits.cut, 5), ClientLeft)
    assert waits.begun == 1


async def test_the_application_is_told_too_that_its_client_has_left() -> None:
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()

    async def listen(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        begun.set()
        while (message := await receive())["type"] == "http.request":
            pass
        told.set_result(message["type"])

    async with serving(in_pieces, listen) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(APPLICATION + GET + APPLICATION)
        await begun.wait()
        writer.close()

        assert await asyncio.wait_for(told, 5) == "http.disconnect"


async def test_a_proxy_that_ends_tells_the_request_that_is_answered_and_begins_no_other() -> None:
    waits = Waits()
    async with running(waits.answer) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET * 3)
        while not waits.begun:
            await asyncio.sleep(0.01)
        stop_requests(server)

        assert isinstance(await asyncio.wait_for(waits.cut, 5), Stopped)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
    assert waits.begun == 1


@pytest.mark.parametrize("one", [GET, APPLICATION, GET + APPLICATION])
async def test_behind_enough_that_wait_nothing_is_read_until_fewer_do(one: bytes) -> None:
    go_on = asyncio.Semaphore(0)

    async def answer(client: Client) -> None:
        await go_on.acquire()
        await of_known_length(client)

    async def apply(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        await go_on.acquire()
        await nothing_to_say(scope, receive, send)

    server = build_server(Desk(answer), apply, drain_s=1.0)
    server.config.load()
    make: Any = server.config.http_protocol_class
    protocol: FrontProtocol = make(config=server.config, server_state=server.server_state, app_state={})
    transport = MemoryTransport(protocol)
    count = 4 * MOST_WAITING
    for number in range(count):
        protocol.data_received(one * 2 if len(one) < 60 else one)
        assert transport.reading is (2 * number + 1 < MOST_WAITING)
    while server.server_state.tasks:
        go_on.release()
        await asyncio.sleep(0.001)
        assert transport.reading is (len(protocol.pipeline) < MOST_WAITING)

    assert transport.written.count(b"HTTP/1.1 ") == 2 * count
    transport.close()
    await asyncio.sleep(0)
