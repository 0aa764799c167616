"""An answer reaches the client in the framing that its connection understands, on a real socket behind uvicorn."""

from __future__ import annotations

import asyncio

import pytest

from proxy.client import Client
from tests.proxy.answering import (
    GET,
    TEXT,
    all_of,
    asked,
    exactly,
    get,
    in_pieces,
    nothing,
    of_known_length,
)

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
