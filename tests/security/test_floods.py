"""Requests that never end, or come by thousands: what they cost is bounded, and nobody else has to wait."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from demo.scripted_upstream import ScriptedUpstream
from tests.raw import RawConnection, ask, chat_request
from tests.running import RunningProxy
from tests.waiting import until

MIB = 1 << 20
HEAD = b"host: x\r\ncontent-type: application/json\r\n"
CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"transfer-encoding: chunked\r\n\r\n"


def memory(proxy: RunningProxy) -> int:
    return int(proxy.worker().memory_info().rss)


def cpu_s(proxy: RunningProxy) -> float:
    times = proxy.worker().cpu_times()
    return float(times.user + times.system)


@pytest.fixture(autouse=True)
def bounded(proxy: RunningProxy, upstream: ScriptedUpstream) -> Iterator[None]:
    """Whatever is done, the worker stays the same, small, quick, and silent about it."""
    ask(proxy.url, chat_request())
    worker, before, began, logged = proxy.worker().pid, memory(proxy), cpu_s(proxy), len(proxy.log)
    yield
    answer = ask(proxy.url, chat_request())

    assert answer.status == 200
    assert proxy.worker().pid == worker
    assert memory(proxy) - before < 80 * MIB
    assert cpu_s(proxy) - began < 8
    assert "Traceback" not in proxy.log[logged:]
    assert len(proxy.log) - logged < 100_000


# -- heads


@pytest.mark.parametrize("lines", [1_000, 10_000, 100_000])
@pytest.mark.parametrize(
    "line", [b"a: b\r\n", b"connection: a\r\n", b"x-nightschool-tags: {}\r\n", b"content-length: 2\r\n"]
)
def test_thousands_of_header_lines_are_forwarded_or_refused_at_once(
    proxy: RunningProxy, line: bytes, lines: int
) -> None:
    with contextlib.suppress(ConnectionError):
        answer = ask(proxy.url, b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + line * lines + b"\r\n")
        assert answer.status in (200, 400, 431)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"x" * 2 * MIB),
        b"GET /v1/%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"/.x" * 80_000),
        b"GET /openai/deployments/%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"%2e" * 80_000),
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\na: %b\r\n\r\n" % (b"x" * 2 * MIB),
        b"GET /v1/models HTTP/1.1\r\nhost: x\r\n%b: a\r\n\r\n" % (b"x" * 2 * MIB),
        b"x" * 2 * MIB,
    ],
    ids=["path", "dots", "escapes", "value", "name", "method"],
)
def test_a_head_of_megabytes_is_refused(proxy: RunningProxy, head: bytes) -> None:
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        assert ask(proxy.url, head).status in (400, 431)


# -- bodies


def poured(proxy: RunningProxy, begin: bytes, mebibytes: int) -> int:
    """The most memory that the worker has while this comes."""
    most = 0
    with contextlib.suppress(OSError), RawConnection(proxy.url) as connection:
        connection.send(begin)
        for _ in range(mebibytes):
            connection.send(b"y" * MIB)
            most = max(most, memory(proxy))
    return most


@pytest.mark.parametrize(
    "begin",
    [
        CHUNKED + b"2\r\n{}\r\n0\r\nx: ",
        CHUNKED + b"2\r\n{}\r\n0\r\n",
        CHUNKED + b"2;x=",
        CHUNKED + b"2;",
    ],
    ids=["a trailer's value", "a trailer's name", "an extension's value", "an extension's name"],
)
def test_what_comes_beside_a_body_is_not_kept(proxy: RunningProxy, begin: bytes) -> None:
    before = memory(proxy)

    assert poured(proxy, begin, 60) - before < 20 * MIB


def test_a_million_trailers_are_not_kept(proxy: RunningProxy) -> None:
    with contextlib.suppress(OSError), RawConnection(proxy.url) as connection:
        connection.send(CHUNKED + b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 1_000_000 + b"\r\n")
        assert connection.answer().status in (200, 400, 431)


def test_a_body_byte_by_byte_in_chunks_is_put_together(proxy: RunningProxy) -> None:
    with contextlib.suppress(OSError), RawConnection(proxy.url) as connection:
        connection.send(CHUNKED + b"1\r\n \r\n" * 200_000 + b"0\r\n\r\n")
        assert connection.answer().status == 400


# -- many requests


def sent_beside(connection: RawConnection, data: bytes) -> threading.Thread:
    def send() -> None:
        with contextlib.suppress(OSError):
            connection.send(data)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("path", [b"/v1/models", b"/healthz", b"/nowhere", b"/metrics"])
def test_pipelined_requests_are_answered_in_turn(proxy: RunningProxy, path: bytes) -> None:
    one = b"GET %b HTTP/1.1\r\nhost: x\r\n\r\n" % path
    with RawConnection(proxy.url) as connection:
        thread = sent_beside(connection, one * 1_000)
        statuses = {connection.answer().status for _ in range(1_000)}
        thread.join()

    assert len(statuses) == 1


def test_who_sends_and_never_reads_is_not_kept_in_memory(proxy: RunningProxy) -> None:
    before = memory(proxy)
    with RawConnection(proxy.url, receive_buffer_bytes=4096) as connection:
        thread = sent_beside(connection, b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n" * 200_000)
        time.sleep(2)
        assert memory(proxy) - before < 20 * MIB
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_pipelined_requests_of_a_client_that_leaves_are_given_up_without_a_fault(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request("slow", stream=True) * 20)
        connection.head()
    until(lambda: all(not seen.open for seen in upstream.seen), what="nothing under way")

    assert len(upstream.seen) < 20


@pytest.mark.alone
def test_hundreds_of_connections_that_say_no_more_keep_nobody_waiting(proxy: RunningProxy) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(RawConnection(proxy.url)).send(b"POST /v1/chat/completions HTTP/1.1\r\n")
        began = time.monotonic()
        assert ask(proxy.url, chat_request()).status == 200

    assert time.monotonic() - began < 2
