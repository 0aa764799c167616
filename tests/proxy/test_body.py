"""What is held of a request's body."""

from __future__ import annotations

import asyncio
import socket

from proxy.body import RequestBody, read_body
from proxy.client import Client
from tests.proxy.answering import asked

HEAD = b"POST /v1/files HTTP/1.1\r\nhost: proxy\r\ncontent-type: application/json\r\n"
PIECE = b"x" * 4096


async def body_of(request: bytes, held_bytes: int, rest: bytes = b"") -> RequestBody:
    """What is read of a request whose ``rest`` comes only after that."""
    found: asyncio.Future[RequestBody] = asyncio.get_running_loop().create_future()

    async def answer(client: Client) -> None:
        found.set_result(await read_body(client, held_bytes))
        client.start(204, [], None)
        client.finish()

    async with asked(answer, request) as (_, writer):
        body = await asyncio.wait_for(found, 5)
        writer.write(rest)
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
    return body


async def test_chunked_json_that_proves_too_large_is_kept_in_the_pieces_it_came_in() -> None:
    chunks = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) * 400

    body = await body_of(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks, 512 * 1024)

    assert (body.more, body.length, body.too_large) == (True, None, True)
    read = len(body.data) + sum(map(len, body.ahead))
    assert 64 * 1024 < read <= len(PIECE) * 400
    assert len(body.data) < read / 2


async def test_json_that_says_that_it_is_too_large_is_not_read_ahead() -> None:
    body = await body_of(HEAD + b"content-length: 819200\r\n\r\n" + PIECE, 64 * 1024)

    assert (body.more, body.length, body.too_large, list(body.ahead)) == (True, 819_200, True, [])


async def test_a_bearable_body_is_whole() -> None:
    body = await body_of(HEAD + b"content-length: 8192\r\n\r\n" + PIECE * 2, 64 * 1024)

    assert body == RequestBody(PIECE * 2, False, 8192)
