"""One exchange after the other on one connection, whatever the upstream makes of HTTP/1.1."""

from __future__ import annotations

import asyncio
import gc
import math
import weakref
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.errors import AnswerBroken, UpstreamError, UpstreamTimeout
from proxy.connection import MAX_HEAD_BYTES, READ_AHEAD_BYTES, Connection, Headers
from tests.proxy.fake_transport import MemoryTransport, a_turn, answering, ask, connected, peer, rest

ONE_READ_BYTES = 256 * 1024
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
EVENTS = b"data: 1\n\ndata: 2\n\ndata: [DONE]\n\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    b"9;name=value\r\ndata: 1\n\n\r\n17\r\ndata: 2\n\ndata: [DONE]\n\n\r\n0\r\n"
)

ANSWERS = {
    "content-length": (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, b"hello"),
    "nothing": (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, b""),
    "no-content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    "not-modified": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b""),
    "chunked": (CHUNKED + b"\r\n", 200, EVENTS),
    "trailers": (CHUNKED + b"X-Checksum: 17\r\nx-other: 1\r\n\r\n", 200, EVENTS),
    "continue": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
    "early-hints": (
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK,
        200,
        b"ok",
    ),
    "error": (b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 2\r\n\r\n{}", 429, b"{}"),
    "unknown-status": (b"HTTP/1.1 799 Whatever\r\ncontent-length: 1\r\n\r\n!", 799, b"!"),
    "no-reason": (b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
}


async def answer_to(connection: Connection) -> tuple[int, Headers, bytes]:
    ask(connection)
    status, headers = await connection.head()
    return status, headers, await rest(connection)


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_arrives_and_its_connection_carries_the_next_one(name: str) -> None:
    answer, status, body = ANSWERS[name]
    async with peer(answering(answer, OK)) as upstream, connected(upstream.port) as connection:
        first = await answer_to(connection)
        assert (connection.finished, connection.usable) == (True, True)
        second = await answer_to(connection)

    assert (first[0], first[2]) == (status, body)
    assert (second[0], second[2]) == (200, b"ok")
    assert upstream.connections == 1


@given(st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 250), max_size=12))
def test_the_pieces_in_which_an_answer_arrives_do_not_matter(name: str, cuts: list[int]) -> None:
    raw, status, body = ANSWERS[name]

    async def received(cuts: list[int]) -> tuple[int, Headers, bytes]:
        connection = Connection("main", asyncio.get_running_loop(), a_turn())
        MemoryTransport(connection)
        ask(connection)
        ends = sorted({cut for cut in cuts if cut < len(raw)} | {len(raw)})
        for start, end in zip([0, *ends], ends, strict=False):
            connection.data_received(raw[start:end])
        assert connection.finished
        return *(await connection.head()), await rest(connection)

    in_pieces = asyncio.run(received(cuts))

    assert in_pieces == asyncio.run(received([]))
    assert (in_pieces[0], in_pieces[2]) == (status, body)


@given(cuts=st.sets(st.integers(1, 400)), joined=st.sets(st.integers(0, 13)), takes=st.lists(st.booleans()))
def test_what_is_taken_chunk_by_chunk_and_what_waits_are_the_body_in_order(
    cuts: set[int], joined: set[int], takes: list[bool]
) -> None:
    """Pieces are whole chunks, but for those that are ``joined`` with the next, and for what the ``cuts`` cut."""
    events = [b"data: %d\n\n" % number for number in range(12)] + [b"5\r\nchunk\r\n"]
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    parts = [CHUNKED.removesuffix(b"0\r\n"), *chunks, b"0\r\n\r\n"]
    raw = b"".join(parts)
    ends = {end for number, end in enumerate(accumulate(map(len, parts))) if number not in joined}
    got: list[bytes] = []

    async def receive() -> None:
        connection = Connection("main", asyncio.get_running_loop(), a_turn())
        MemoryTransport(connection)
        ask(connection)

        def take(chunk: bytes) -> bool:
            if taken := bool(takes and takes.pop()):
                got.append(chunk)
            return taken

        def arrived() -> None:
            if connection.has_data:
                got.append(connection.take())

        connection.on_chunk, connection.on_arrival = take, arrived
        for begin, end in pairwise([0, *sorted(ends | {cut for cut in cuts if cut < len(raw)} | {len(raw)})]):
            connection.data_received(raw[begin:end])
        assert (connection.finished, connection.usable) == (True, True)

    asyncio.run(receive())
    assert b"".join(got) == EVENTS + b"".join(events)


async def test_a_chunk_that_is_not_taken_stays_within_what_is_read_ahead() -> None:
    connection = Connection("main", asyncio.get_running_loop(), a_turn())
    transport = MemoryTransport(connection)
    ask(connection)
    connection.data_received(CHUNKED.removesuffix(b"0\r\n"))
    connection.take()
    connection.on_chunk = lambda _: False

    connection.data_received(b"%x\r\n%b\r\n" % (READ_AHEAD_BYTES + 1, b"x" * (READ_AHEAD_BYTES + 1)))

    assert not transport.reading
    assert len(connection.take()) == READ_AHEAD_BYTES + 1
    assert transport.reading


async def test_headers_keep_their_order_and_their_duplicates_under_names_in_lower_case() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-B:  Bb \r\nset-cookie: c\r\nx-empty:\r\ncontent-length: 0\r\n\r\n"
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        _, headers, _ = await answer_to(connection)

    assert [(name, value.strip()) for name, value in headers[:4]] == [
        (b"set-cookie", b"a"),
        (b"x-b", b"Bb"),
        (b"set-cookie", b"c"),
        (b"x-empty", b""),
    ]


async def test_headers_of_an_interim_answer_and_trailers_are_not_the_answers() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    trailers = b"x-checksum: 17\r\n\r\n"
    async with peer(answering(hints + CHUNKED + trailers)) as upstream, connected(upstream.port) as connection:
        _, headers, _ = await answer_to(connection)

    assert [name.lower() for name, _ in headers] == [b"content-type", b"transfer-encoding"]


async def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        ask(connection, bodiless=True)
        status, headers = await connection.head()

        assert (status, headers) == (200, [(b"content-length", b"500")])
        assert await connection.read() == b""


async def test_an_answer_without_a_length_ends_with_the_connection() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\nall of it"
    async with peer(answering(answer, then_close=True)) as upstream, connected(upstream.port) as connection:
        assert await answer_to(connection) == (200, [], b"all of it")
        assert not connection.usable


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nconnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
async def test_a_connection_that_the_upstream_wants_closed_is_not_used_again(head: bytes) -> None:
    async with (
        peer(answering(head + b"content-length: 2\r\n\r\nok")) as upstream,
        connected(upstream.port) as connection,
    ):
        assert (await answer_to(connection))[2] == b"ok"
        assert (connection.finished, connection.usable) == (True, False)


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        (b"", "before it answered"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", "before it answered"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "before it answered"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this", "in the middle of its answer"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n", "in the middle of its answer"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n0\r\n",
            "in the middle of its answer",
        ),
    ],
)
async def test_an_answer_that_is_cut_fails_and_says_where(answer: bytes, where: str) -> None:
    async with peer(answering(answer, then_close=True)) as upstream, connected(upstream.port) as connection:
        with pytest.raises(AnswerBroken, match=f"upstream 'main': closed the connection {where}"):
            await answer_to(connection)
        assert not connection.usable


async def test_what_arrived_before_the_cut_can_still_be_read() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this"
    async with peer(answering(answer, then_close=True)) as upstream, connected(upstream.port) as connection:
        ask(connection)
        await connection.head()

        assert await connection.read() == b"only this"
        with pytest.raises(AnswerBroken):
            await connection.read()


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a" * 20,
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nframes",
    ],
)
async def test_what_is_not_http_fails_and_says_so(garbage: bytes) -> None:
    async with peer(answering(garbage)) as upstream, connected(upstream.port) as connection:
        with pytest.raises(AnswerBroken, match=r"sent something that is not HTTP/1\.1"):
            await answer_to(connection)
        assert not connection.usable


@pytest.mark.parametrize("name", [b"x-padding-%d: ", b"x-%d: "])
async def test_headers_without_an_end_fail_instead_of_filling_the_memory(name: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(
        name % n + b"x" * 1000 + b"\r\n" for n in range(2 * MAX_HEAD_BYTES // 1000)
    )
    async with peer(answering(head)) as upstream, connected(upstream.port) as connection:
        with pytest.raises(AnswerBroken, match=f"more than {MAX_HEAD_BYTES} bytes of headers"):
            await answer_to(connection)


async def test_an_answer_that_nobody_asked_for_makes_the_connection_useless() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    async with peer(handler) as upstream, connected(upstream.port) as connection:
        assert (await answer_to(connection))[2] == b"ok"
        assert connection.usable
        await asyncio.sleep(0.2)
        assert not connection.usable


async def test_a_second_answer_right_behind_the_first_does_not_spoil_it() -> None:
    second = b"HTTP/1.1 500 Oops\r\nx-second: 1\r\ncontent-length: 3\r\n\r\nbad"
    async with peer(answering(OK + second)) as upstream, connected(upstream.port) as connection:
        assert await answer_to(connection) == (200, [(b"content-length", b"2")], b"ok")
        assert not connection.usable


async def test_a_fast_upstream_is_slowed_down_to_a_slow_reader() -> None:
    size = 40 << 20
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with peer(handler) as upstream, connected(upstream.port) as connection:
        ask(connection)
        await connection.head()
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)

        assert sent < size
        assert connection.deadline == math.inf  # the pause is ours, no fault of the upstream
        read_ahead = connection.take()
        assert len(read_ahead) <= READ_AHEAD_BYTES + ONE_READ_BYTES
        assert connection.deadline < math.inf
        assert len(read_ahead) + len(await rest(connection)) == size


async def test_a_long_body_goes_out_only_as_fast_as_the_upstream_takes_it() -> None:
    go_on = asyncio.Event()
    received = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await reader.readuntil(b"\r\n\r\n")
        await go_on.wait()
        while received < 64 << 20:
            received += len(await reader.read(1 << 20))
        writer.write(OK)

    async with peer(handler) as upstream, connected(upstream.port) as connection:
        head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (64 << 20)
        connection.start(head, b"", bodiless=False, first_byte_s=5, idle_s=5)
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(64):
                await connection.upload(b"x" * (1 << 20))
                sent += 1

        sending = asyncio.ensure_future(send())
        await asyncio.wait([sending], timeout=0.5)
        assert sent < 64
        go_on.set()
        await sending
        connection.uploaded()

        assert (await connection.head())[0] == 200


async def test_an_answer_ends_an_upload_that_the_upstream_does_not_want() -> None:
    refusal = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with peer(answering(refusal, then_close=True)) as upstream, connected(upstream.port) as connection:
        head = b"POST / HTTP/1.1\r\ncontent-length: 100000\r\n\r\n"
        connection.start(head, b"", bodiless=False, first_byte_s=5, idle_s=5)

        assert (await connection.head())[0] == 413
        await connection.upload(b"x")  # goes nowhere, and hurts nobody
        connection.spoil()
        assert not connection.usable


async def silent_after(answer: bytes, *, read_first: bool) -> UpstreamError:
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        ask(connection, first_byte_s=0.5, idle_s=2.5)
        if read_first:
            await connection.head()
            await connection.read()
        asyncio.get_running_loop().call_later(0.05, connection.time_out)
        with pytest.raises(UpstreamTimeout) as caught:
            await (connection.read() if read_first else connection.head())
        assert (connection.finished, connection.usable) == (False, False)
        return caught.value


async def test_an_upstream_that_never_answers_runs_into_the_first_clock() -> None:
    error = await silent_after(b"HTTP/1.1 103 Early Hints\r\n\r\n", read_first=False)

    assert (str(error), error.status) == ("upstream 'main': no first byte within 0.5 s", 504)


@pytest.mark.parametrize(
    "framing", [b"content-length: 10\r\n", b"transfer-encoding: chunked\r\n", b""], ids=["length", "chunked", "close"]
)
async def test_an_upstream_that_stops_in_its_answer_runs_into_the_second_clock(framing: bytes) -> None:
    body = b"5\r\nhello\r\n" if b"chunked" in framing else b"hello"
    error = await silent_after(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + body, read_first=True)

    assert str(error) == "upstream 'main': silent for 2.5 s in the middle of its answer"


async def test_the_clocks_follow_what_is_waited_for() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhe"
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        now = asyncio.get_running_loop().time
        ask(connection, first_byte_s=100, idle_s=10)
        assert connection.deadline == pytest.approx(now() + 100, abs=1)
        connection.await_client()
        assert connection.deadline == math.inf
        connection.uploaded()
        assert connection.deadline == pytest.approx(now() + 100, abs=1)
        await connection.head()
        assert connection.deadline == pytest.approx(now() + 10, abs=1)


@pytest.mark.parametrize("framing", [b"content-length: 10\r\n", b""], ids=["length", "close"])
async def test_who_waits_is_told_when_the_exchange_is_ended_from_elsewhere(framing: bytes) -> None:
    class ClientLeft(Exception):
        pass

    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\nhello"
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        ask(connection)
        await connection.head()
        await connection.read()
        asyncio.get_running_loop().call_later(0.05, connection.fail, ClientLeft())

        with pytest.raises(ClientLeft):
            await connection.read()
        with pytest.raises(ClientLeft):
            await connection.upload(b"more")


async def test_who_is_called_at_every_arrival_takes_what_is_there_and_learns_of_the_end() -> None:
    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n")
        for piece in (b"one", b"two"):
            await asyncio.sleep(0.05)
            writer.write(piece)
        await reader.read()

    seen: list[tuple[bytes, bool, bool]] = []
    async with peer(in_pieces) as upstream, connected(upstream.port) as connection:
        ask(connection)
        await connection.head()
        connection.on_arrival = lambda: seen.append((connection.take(), connection.finished, connection.failed))
        await asyncio.sleep(0.2)

        assert seen == [(b"one", False, False), (b"two", True, False)]


async def test_who_is_called_at_every_arrival_is_called_when_the_exchange_fails() -> None:
    cut = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"
    async with peer(answering(cut, then_close=True)) as upstream, connected(upstream.port) as connection:
        ask(connection)
        await connection.head()
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.on_arrival = lambda: failed.set_result(None) if connection.failed and not failed.done() else None
        connection.raise_error()  # nothing yet
        await asyncio.wait_for(failed, 5)

        assert connection.has_data
        assert connection.take() == b"hello"
        with pytest.raises(AnswerBroken, match="in the middle of its answer"):
            connection.raise_error()


async def test_the_next_exchange_calls_nobody_of_the_one_before() -> None:
    called: list[int] = []
    async with peer(answering(OK)) as upstream, connected(upstream.port) as connection:
        await answer_to(connection)
        connection.on_arrival = lambda: called.append(1)
        assert (await answer_to(connection))[2] == b"ok"

    assert called == []


async def test_what_is_put_back_comes_out_first_again() -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 5\r\n\r\nhello"
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        ask(connection)
        await connection.head()
        body = await rest(connection)
        assert connection.ended
        connection.unread(body)

        assert (connection.has_data, connection.ended) == (True, False)
        assert await rest(connection) == b"hello"
        assert connection.ended


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"timeout=5", 5.0), (b"max=100, timeout = 30", 30.0), (b"max=100", math.inf), (b"timeout=soon", math.inf)],
)
async def test_the_upstreams_own_limit_for_idle_connections_is_heard(value: bytes, seconds: float) -> None:
    answer = b"HTTP/1.1 200 OK\r\nKeep-Alive: %b\r\ncontent-length: 0\r\n\r\n" % value
    async with peer(answering(answer)) as upstream, connected(upstream.port) as connection:
        await answer_to(connection)

        assert connection.keep_alive_s == seconds


@pytest.mark.parametrize("answer", [OK, OK[:-1]])
async def test_a_connection_is_out_of_memory_as_soon_as_it_has_ended(answer: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        async with peer(answering(answer, then_close=True)) as upstream:
            async with connected(upstream.port) as connection:
                ask(connection)
                await connection.head()
                if answer == OK:
                    await rest(connection)
                else:
                    with pytest.raises(AnswerBroken):
                        await rest(connection)
                ended = weakref.ref(connection)
                del connection
            async with asyncio.timeout(5):
                while ended() is not None:
                    await asyncio.sleep(0.005)
    finally:
        gc.enable()
