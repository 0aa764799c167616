"""A request that asks for another protocol is answered as the plain request that it is without, its body included.

Java's own HttpClient, and all that stands on it, asks for ``h2c`` in every request to an ``http://`` address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.client import Client
from proxy.server import build_server
from tests.proxy.answering import Desk, all_of, asked, exactly, in_pieces, nothing_to_say, of_known_length, serving
from tests.proxy.fake_transport import MemoryTransport

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\nUpgrade: h2c\r\n"
WEBSOCKET = b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nUpgrade: websocket\r\n"
LENGTH = b"Content-Length: 11\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
IN_CHUNKS = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nx-trailer: z\r\n\r\n"


def request(framing: bytes = b"", body: bytes = b"", *, upgrade: bytes = H2C, line: bytes = b"POST /v1/a?b=c") -> bytes:
    return b"%b HTTP/1.1\r\n%b%bHost: h\r\nX-A:  1 \r\nX-Empty:\r\n\r\n%b" % (line, upgrade, framing, body)


REQUESTS = {
    "a length": request(LENGTH, b"hello world"),
    "chunks": request(CHUNKED, IN_CHUNKS),
    "no body": request(line=b"GET /v1/models"),
    "an empty body": request(b"Content-Length: 0\r\n"),
    "a body like a request": request(b"Content-Length: 35\r\n", b"GET /v1/inner HTTP/1.1\r\nHost: h\r\n\r\n"),
    "a websocket": request(upgrade=WEBSOCKET, line=b"GET /v1/realtime"),
    "no upgrade": request(LENGTH, b"hello world", upgrade=b""),
}
TOGETHER = b"".join(REQUESTS.values())


class Asked(NamedTuple):
    """A request as it is seen behind the server."""

    method: bytes
    target: tuple[bytes, bytes]
    headers: list[tuple[bytes, bytes]]
    length: int | None
    body: bytes


class Ledger(Desk):
    """Notes what is asked, and answers with nothing."""

    def __init__(self) -> None:
        super().__init__(self._note)
        self.seen: list[Asked] = []
        self.recognised = 0
        """Requests that came without the parser."""

    def answer_at_once(self, client: Client) -> None:
        self.recognised += 1
        super().answer_at_once(client)

    async def _note(self, client: Client) -> None:
        body, more = await client.read()
        while more:
            data, more = await client.read()
            body += data
        target = client.raw_path, client.query
        self.seen.append(Asked(client.method, target, client.head.headers, client.length, body))
        client.start(200, [], b"content-length: 0\r\n")
        client.finish()


async def hand_over(ledger: Ledger, pieces: Sequence[bytes]) -> bytes:
    """Have requests arrive in these pieces; what is answered."""
    server = build_server(ledger, nothing_to_say, drain_s=1.0)
    server.config.load()
    make: Any = server.config.http_protocol_class
    protocol = make(config=server.config, server_state=server.server_state, app_state={})
    transport = MemoryTransport(protocol)
    for piece in pieces:
        protocol.data_received(piece)
        await asyncio.sleep(0)
    while server.server_state.tasks:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    transport.close()
    await asyncio.sleep(0)
    return bytes(transport.written)


def asked_in(*pieces: bytes) -> tuple[list[Asked], bytes]:
    """What is seen of requests that come in these pieces, and what is answered."""
    ledger = Ledger()
    answered = asyncio.run(hand_over(ledger, pieces))
    return ledger.seen, answered


def plain(raw: bytes) -> list[Asked]:
    """What is seen of the same requests where they do not ask for another protocol."""
    return asked_in(raw.replace(b"Upgrade: h2c\r\n", b"").replace(b"Upgrade: websocket\r\n", b""))[0]


def split(raw: bytes, cuts: set[int]) -> list[bytes]:
    ends = sorted({cut for cut in cuts if cut < len(raw)} | {len(raw)})
    return [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_the_same_without_its_upgrade(name: str) -> None:
    seen, answered = asked_in(REQUESTS[name])

    assert seen == plain(REQUESTS[name])
    assert answered == b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    if name in ("a length", "chunks"):
        assert seen[0].body == b"hello world"


@pytest.mark.parametrize("name", REQUESTS)
def test_wherever_a_request_is_cut_it_is_the_same(name: str) -> None:
    raw = REQUESTS[name]
    expected = plain(raw)

    assert all(asked_in(raw[:cut], raw[cut:])[0] == expected for cut in range(1, len(raw)))
    assert asked_in(*(raw[at : at + 1] for at in range(len(raw))))[0] == expected


@given(cuts=st.sets(st.integers(1, len(TOGETHER))))
def test_the_pieces_in_which_requests_arrive_do_not_matter(cuts: set[int]) -> None:
    seen, answered = asked_in(*split(TOGETHER, cuts))

    assert seen == plain(TOGETHER)
    assert answered.count(b"HTTP/1.1 200 OK\r\n") == len(seen) == len(REQUESTS)


def test_thousands_in_one_piece_are_told_apart() -> None:
    seen, _ = asked_in(REQUESTS["a length"] * 3_000)

    assert [one.body for one in seen] == [b"hello world"] * 3_000


async def test_a_head_with_an_upgrade_is_recognised_when_it_comes_again() -> None:
    ledger = Ledger()
    raw = REQUESTS["a length"]
    await hand_over(ledger, [raw, b"", b"", raw.replace(b"world", b"again")])

    assert [one.body for one in ledger.seen] == [b"hello world", b"hello again"]
    assert ledger.recognised == 1


@pytest.mark.parametrize(
    ("version", "connection"), [(b"1.0", b"upgrade"), (b"1.1", b"close, upgrade"), (b"1.0", b"keep-alive, upgrade")]
)
async def test_what_a_head_says_of_the_connection_holds_beside_an_upgrade(version: bytes, connection: bytes) -> None:
    head = b"POST /v1/a HTTP/%b\r\nhost: h\r\nconnection: %b\r\nupgrade: h2c\r\ncontent-length: 5\r\n\r\n"

    assert await all_of(of_known_length, head % (version, connection) + b"hello") == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello"
    )


async def test_who_expects_100_beside_an_upgrade_gets_it_when_the_body_is_wanted() -> None:
    async def answer(client: Client) -> None:
        data, _ = await client.read()
        client.start(200, [], b"content-length: %d\r\n" % len(data))
        client.finish(data)

    async with asked(answer, request(LENGTH + b"Expect: 100-continue\r\n")) as (reader, writer):
        await exactly(reader, b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"hello world")
        await exactly(reader, b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world")


async def test_the_application_sees_the_body_too() -> None:
    async def echo(scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", b"11")]})
        await send({"type": "http.response.body", "body": body})

    async with serving(in_pieces, echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(request(LENGTH, b"hello world", line=b"POST /nightschool"))
            await exactly(reader, b"HTTP/1.1 299 \r\ncontent-length: 11\r\n\r\nhello world")
        writer.close()


@pytest.mark.parametrize(
    "raw",
    [
        request(LENGTH + LENGTH, b"hello world"),
        request(LENGTH + CHUNKED, IN_CHUNKS),
        request(b"Transfer-Encoding: chunked, identity\r\n", IN_CHUNKS),
        request(b"Transfer-Encoding: xchunked\r\n", IN_CHUNKS),
        request(CHUNKED, b"zz\r\nhello\r\n0\r\n\r\n"),
        request(b"Host: another\r\n"),
        request(LENGTH, b"hello world").replace(b"HTTP/1.1", b"HTTP/2.0"),
    ],
    ids=[
        "two lengths",
        "length and chunks",
        "a coding behind",
        "an unknown coding",
        "no chunk",
        "two hosts",
        "version",
    ],
)
def test_an_upgrade_hides_nothing_that_is_refused_without(raw: bytes) -> None:
    answered = asked_in(raw, REQUESTS["no body"])[1]

    assert answered.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answered.count(b"HTTP/1.1") == 1
