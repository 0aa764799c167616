"""A request is seen as it was sent, in whatever pieces it comes, and so is that its client has left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.client import Client, ClientLeft
from proxy.request_head import RequestHead
from tests.proxy.answering import (
    all_of,
    asked,
    exactly,
    get,
    in_pieces,
    of_known_length,
    serving,
)


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
