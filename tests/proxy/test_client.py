"""An answer reaches the client in the framing that its connection understands, on a real socket behind uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import uvicorn

from proxy.client import Client, ClientLeft
from proxy.request_head import RequestHead
from proxy.server import KEEP_ALIVE_S, MAX_HEAD_BYTES, FrontProtocol, build_server, close_idle
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


# -- framing


async def test_an_answer_without_a_length_is_sent_in_chunks() -> None:
    assert await all_of(in_pieces, get(b"connection: close")) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"
    )


async def test_an_answer_with_a_length_is_sent_as_it_is() -> None:
    assert await all_of(of_known_length, get(b"connection: close")) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
    )


async def test_http_1_0_gets_no_chunks_and_a_closed_connection() -> None:
    assert await all_of(in_pieces, get(version=b"1.0")) == (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\none two three"
    )


async def test_an_empty_answer_in_chunks_ends_properly() -> None:
    async def empty(client: Client) -> None:
        client.start(200, TEXT, None)
        client.finish()

    assert (await all_of(empty, get(b"connection: close"))).endswith(b"\r\n\r\n0\r\n\r\n")


async def test_the_answer_to_head_has_its_headers_and_no_body() -> None:
    async def answer(client: Client) -> None:
        client.start(200, [], b"content-length: 5\r\n")
        client.finish(b"hello")

    assert await all_of(answer, get(b"connection: close", method=b"HEAD")) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_an_answer_in_pieces_has_no_body_either_where_none_is_allowed(method: bytes) -> None:
    async def answer(client: Client) -> None:
        client.start(204 if method == b"GET" else 200, TEXT, None)
        client.write(b"one")
        client.finish(b"two")

    answered = await all_of(answer, get(b"connection: close", method=method))

    assert answered.partition(b"\r\n\r\n")[2] == b""


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_no_framing(status: int) -> None:
    async def answer(client: Client) -> None:
        client.start(status, [], None)
        client.finish()

    answered = await all_of(answer, get(b"connection: close"))

    assert answered.startswith(b"HTTP/1.1 %d " % status)
    assert answered.endswith(b"\r\nconnection: close\r\n\r\n")
    assert b"transfer-encoding" not in answered


async def test_a_status_that_nobody_has_named_is_passed_on() -> None:
    async def answer(client: Client) -> None:
        client.start(799, [], b"content-length: 0\r\n")
        client.finish()

    assert (await all_of(answer, get(b"connection: close"))).startswith(b"HTTP/1.1 799 \r\ncontent-length: 0\r\n")


async def test_duplicate_headers_stay_two() -> None:
    async def answer(client: Client) -> None:
        client.start(200, [b"set-cookie: a\r\n", b"set-cookie: b\r\n"], b"content-length: 0\r\n")
        client.finish()

    assert b"set-cookie: a\r\nset-cookie: b\r\n" in await all_of(answer, get(b"connection: close"))


# -- when


async def test_the_head_waits_for_the_first_of_the_body() -> None:
    go_on = asyncio.Event()

    async def answer(client: Client) -> None:
        client.start(200, [], b"content-length: 2\r\n")
        await go_on.wait()
        client.finish(b"ok")

    async with asked(answer) as (reader, _):
        assert await nothing(reader)
        go_on.set()
        await exactly(reader, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


async def test_a_flushed_head_does_not_wait_and_is_sent_once() -> None:
    go_on = asyncio.Event()

    async def answer(client: Client) -> None:
        client.start(200, [], b"content-length: 2\r\n")
        client.flush()
        client.flush()
        await go_on.wait()
        client.finish(b"ok")

    async with asked(answer) as (reader, _):
        await exactly(reader, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
        go_on.set()
        await exactly(reader, b"ok")


async def test_a_piece_is_sent_when_it_is_written() -> None:
    go_on = asyncio.Event()

    async def answer(client: Client) -> None:
        client.start(200, [], None)
        client.write(b"data: 1\n\n")
        await go_on.wait()
        client.finish()

    async with asked(answer) as (reader, _):
        await exactly(reader, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        go_on.set()
        await exactly(reader, b"0\r\n\r\n")


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    waits: list[bool] = []

    async def answer(client: Client) -> None:
        client.start(200, [], b"content-length: %d\r\n" % (64 << 20))
        for _ in range(63):
            client.write(b"x" * (1 << 20))
            waits.append(client.slow)
            if client.slow:
                await client.drain()
        client.finish(b"x" * (1 << 20))

    async with asked(answer) as (reader, _):
        await asyncio.sleep(0.3)
        written = len(waits)
        assert written < 63
        assert waits[-1]
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        body = 0
        while body < 64 << 20:
            body += len(await asyncio.wait_for(reader.read(1 << 20), 5))
        assert body == 64 << 20


# -- the connection


async def test_a_connection_carries_one_answer_after_the_other() -> None:
    async with asked(of_known_length, GET + GET) as (reader, writer):
        answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
        await exactly(reader, answer + answer)
        writer.write(GET)
        await exactly(reader, answer)


async def test_an_answer_that_is_left_short_closes_the_connection() -> None:
    async def answer(client: Client) -> None:
        client.start(200, [], None)
        client.write(b"half")

    assert await all_of(answer, GET) == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"


async def test_what_is_not_the_api_goes_to_the_application() -> None:
    answered = await all_of(in_pieces, b"GET /metrics HTTP/1.1\r\nhost: proxy\r\nconnection: close\r\n\r\n")

    assert answered.startswith(b"HTTP/1.1 299 ")


# -- the request


async def test_a_request_is_seen_as_it_was_sent() -> None:
    seen: list[object] = []

    async def answer(client: Client) -> None:
        seen.extend((client.method, client.raw_path, client.query, client.head.headers))
        await of_known_length(client)

    await all_of(answer, b"POST /v1/a%2Fb?x=%20&y HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nConnection: close\r\n\r\n")

    headers = [(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"2"), (b"connection", b"close")]
    assert seen == [b"POST", b"/v1/a%2Fb", b"x=%20&y", headers]


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"content-length: 11", b"hello world"),
        (b"transfer-encoding: chunked", b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
async def test_a_body_is_read_to_its_end_in_whatever_pieces_it_comes(framing: bytes, body: bytes) -> None:
    received = bytearray()

    async def answer(client: Client) -> None:
        more = True
        while more:
            data, more = await client.read()
            received.extend(data)
        client.start(200, [], b"content-length: 0\r\n")
        client.finish()

    async with asked(answer, get(framing, method=b"POST")) as (reader, writer):
        for byte in body:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await exactly(reader, b"HTTP/1.1 200 OK\r\n")

    assert received == b"hello world"


@pytest.mark.parametrize(
    ("framing", "body", "length"),
    [
        (b"content-length: 5", b"hello", 5),
        (b"content-length: 0", b"", 0),
        (b"transfer-encoding: chunked", b"0\r\n\r\n", None),
        (b"x-a: 1", b"", None),
    ],
    ids=["length", "empty", "chunked", "none"],
)
async def test_the_length_of_a_body_is_told_apart_from_the_headers(
    framing: bytes, body: bytes, length: int | None
) -> None:
    seen: list[object] = []

    async def answer(client: Client) -> None:
        seen.extend((client.length, b"content-length" in client.head.by_name))
        await of_known_length(client)

    await all_of(answer, get(framing, b"connection: close", method=b"POST") + body)

    assert seen == [length, False]


async def test_what_stands_behind_a_body_in_chunks_is_no_header() -> None:
    seen: list[RequestHead] = []

    async def answer(client: Client) -> None:
        while (await client.read())[1]:
            pass
        seen.append(client.head)
        await of_known_length(client)

    trailers = b"0\r\nx-nightschool-record: off\r\nauthorization: forged\r\n\r\n"
    request = get(b"transfer-encoding: chunked", b"connection: close", method=b"POST") + trailers
    assert (await all_of(answer, request)).endswith(b"\r\n\r\nhello")

    (head,) = seen
    assert [name for name, _ in head.headers] == [b"host", b"transfer-encoding", b"connection"]
    assert (head.credential, head.control.record) == (None, True)


async def test_headers_that_stay_the_same_are_read_once_for_a_connection() -> None:
    heads: list[RequestHead] = []

    async def answer(client: Client) -> None:
        while (await client.read())[1]:
            pass
        heads.append(client.head)
        await of_known_length(client)

    key_a, key_b = b"authorization: Bearer a", b"authorization: Bearer b"
    requests = [
        get(key_a, b"content-length: 5", method=b"POST") + b"hello",
        get(key_a, b"content-length: 2", method=b"POST") + b"ok",
        get(key_b),
        get(key_b, b"x-nightschool-record: off"),
        get(key_b),
    ]
    async with asked(answer, b"".join(requests[:2])) as (reader, writer):
        for request in requests[2:]:
            writer.write(request)
        await exactly(reader, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello" * 5)

    assert heads[1] is heads[0]
    assert len({id(head) for head in heads[1:]}) == 4
    assert [head.credential for head in heads] == [b"Bearer a"] * 2 + [b"Bearer b"] * 3
    assert [head.control.record for head in heads] == [True, True, True, False, True]


async def test_connections_share_no_headers() -> None:
    heads: list[RequestHead] = []

    async def answer(client: Client) -> None:
        heads.append(client.head)
        await of_known_length(client)

    async with serving(answer) as port:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get(b"connection: close"))
            assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"hello")
            writer.close()

    assert heads[0] is not heads[1]


async def test_the_application_sees_the_length_and_the_wish_for_100_continue() -> None:
    async def echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        message = await receive()
        while message.get("more_body"):
            message = await receive()
        length = dict(scope["headers"])[b"content-length"]
        await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", length)]})
        await send({"type": "http.response.body", "body": b"x" * int(length)})

    head = b"POST /nightschool HTTP/1.1\r\nhost: h\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    async with serving(in_pieces, echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        await exactly(reader, b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"ok")
        await exactly(reader, b"HTTP/1.1 299 \r\ncontent-length: 2\r\n\r\nxx")
        writer.close()


async def test_who_expects_100_gets_it_when_the_body_is_wanted() -> None:
    async def answer(client: Client) -> None:
        data, _ = await client.read()
        client.start(200, [], b"content-length: %d\r\n" % len(data))
        client.finish(data)

    request = get(b"expect: 100-continue", b"content-length: 5", method=b"POST")
    async with asked(answer, request) as (reader, writer):
        await exactly(reader, b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"hello")
        await exactly(reader, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")


async def test_a_client_that_leaves_is_noticed_while_its_body_is_read() -> None:
    left: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def answer(client: Client) -> None:
        try:
            await client.read()
        except ClientLeft:
            left.set_result(client.started)

    async with asked(answer, get(b"content-length: 5", method=b"POST")) as (_, writer):
        await asyncio.sleep(0.05)
        writer.close()
        assert await asyncio.wait_for(left, 5) is False


async def test_a_client_that_leaves_is_noticed_while_its_answer_is_made() -> None:
    left: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def answer(client: Client) -> None:
        client.on_cut = left.set_result
        client.start(200, [], None)
        client.write(b"one")
        await left
        client.write(b"two")  # goes nowhere, and hurts nobody
        client.finish(b"three")
        await client.drain()

    async with asked(answer) as (reader, writer):
        await reader.readuntil(b"one\r\n")
        writer.close()
        assert isinstance(await asyncio.wait_for(asyncio.shield(left), 5), ClientLeft)
        await asyncio.sleep(0.05)


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


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Only what nothing refers to any more is freed."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


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
