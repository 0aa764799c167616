"""A connection ends in time and is then out of memory; what is not HTTP is refused in OpenAI's shape."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import struct

import pytest

from proxy.client import Client
from proxy.server import KEEP_ALIVE_S, MAX_HEAD_BYTES, FrontProtocol, close_idle
from tests.proxy.answering import (
    GET,
    Answer,
    all_of,
    asked,
    get,
    in_pieces,
    of_known_length,
    running,
    serving,
)


async def waiting(client: Client) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("sent", "answer", "closes"),
    [
        (b"", of_known_length, True),
        (GET, of_known_length, True),
        (GET + GET, of_known_length, True),
        (GET[:20], of_known_length, True),
        (GET + GET[:20], of_known_length, True),
        (GET, waiting, False),
        (get(b"content-length: 5", method=b"POST") + b"he", waiting, True),
        (get(b"content-length: 5", method=b"POST") + b"hello", waiting, False),
        (get(b"content-length: 5", method=b"POST") + b"he", of_known_length, True),
    ],
)
async def test_a_connection_that_asks_nothing_for_long_is_closed_and_one_under_way_is_not(
    sent: bytes, answer: Answer, closes: bool
) -> None:
    async with running(answer) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)

        close_idle(server)
        assert not reader.at_eof()
        (connection,) = server.server_state.connections
        assert isinstance(connection, FrontProtocol)
        connection.idle_since -= KEEP_ALIVE_S
        close_idle(server)

        if closes:
            await asyncio.wait_for(reader.read(), 5)
        assert bool(server.server_state.connections) is not closes
        writer.close()


async def test_who_reads_nothing_of_an_answer_for_long_is_cut_off_and_who_reads_slowly_is_not() -> None:
    left: list[bool] = []

    async def endless(client: Client) -> None:
        client.start(200, [], None)
        while not client.disconnected:
            client.write(b"x" * 10_000)
            if client.slow:
                await client.drain()
        left.append(True)

    async with running(endless) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(GET)
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        (connection,) = server.server_state.connections
        assert isinstance(connection, FrontProtocol)
        while not connection.transport.get_write_buffer_size():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        close_idle(server)
        for _ in range(3):
            connection.unread_since -= KEEP_ALIVE_S
            await asyncio.wait_for(reader.readexactly(8 << 20), 20)
            await asyncio.sleep(0.1)
            close_idle(server)
            assert left == []

        connection.unread_since -= KEEP_ALIVE_S
        close_idle(server)
        async with asyncio.timeout(5):
            while not left:
                await asyncio.sleep(0.01)
        assert server.server_state.connections == set()
        writer.close()


async def test_what_is_owed_of_a_request_that_waits_is_asked_for_once_its_turn_has_come() -> None:
    answers: list[asyncio.Event] = []

    async def answer(client: Client) -> None:
        answers.append(asyncio.Event())
        await answers[-1].wait()
        while (await client.read())[1]:
            pass
        await of_known_length(client)

    owing = get(b"content-length: 5", b"expect: 100-continue", method=b"POST")
    async with running(answer) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + owing)
        while not answers:
            await asyncio.sleep(0.01)
        (connection,) = server.server_state.connections
        assert isinstance(connection, FrontProtocol)
        connection.idle_since -= KEEP_ALIVE_S
        close_idle(server)  # the first is being answered, and may take its time
        answers[0].set()
        await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        close_idle(server)
        answers[1].set()
        await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 100 Continue\r\n\r\n"), 5)

        connection.idle_since -= KEEP_ALIVE_S
        close_idle(server)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


def connections_in_memory() -> int:
    return sum(type(known) is FrontProtocol for known in gc.get_objects())


ENDINGS = {
    "answered": (get(), b"0\r\n\r\n"),
    "answered by the application": (b"GET /nightschool HTTP/1.1\r\nhost: proxy\r\n\r\n", b"\r\n\r\n"),
    "left in the middle of its answer": (get(b"x-slow: yes"), b"one\r\n"),
    "left with another request behind": (get(b"x-slow: yes") + get(), b"one\r\n"),
}


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("name", ENDINGS)
async def test_a_connection_is_out_of_memory_as_soon_as_it_has_ended(name: str, reset: bool) -> None:
    async def answer(client: Client) -> None:
        if b"x-slow" not in client.head.by_name:
            await in_pieces(client)
            return
        client.start(200, [], None)
        for _ in range(20):
            client.write(b"one")
            await asyncio.sleep(0.005)

    sent, awaited = ENDINGS[name]
    async with serving(answer) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        await asyncio.wait_for(reader.readuntil(awaited), 5)
        assert connections_in_memory() == 1
        if reset:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
        async with asyncio.timeout(30):  # to look through all that a process of many tests has in memory takes its time
            while connections_in_memory():
                await asyncio.sleep(0.005)


async def test_a_head_without_an_end_is_refused() -> None:
    async with asked(in_pieces, b"GET /v1/models HTTP/1.1\r\n") as (reader, writer):
        for number in range(MAX_HEAD_BYTES // 1000 + 2):
            writer.write(b"x-%d: %b\r\n" % (number, b"x" * 1000))
        answered = await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)

    assert answered == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        get(b"content-length: 1", b"content-length: 2"),
        get(b"content-length: 1", b"transfer-encoding: chunked", method=b"POST"),
        get(b"x-a : 1"),
        get(b"host: another"),
        b"GET /v1/models HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_in_openais_shape(request_bytes: bytes) -> None:
    answered = await all_of(in_pieces, request_bytes)

    assert answered.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n")
    assert re.search(rb'"type":"invalid_request_error"', answered)
