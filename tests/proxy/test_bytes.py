"""Through the proxy every byte of an answer is what it is without, however strangely the upstream writes it."""

from __future__ import annotations

from typing import Any

import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.upstream.behaviour import Behaviour, Fault
from tests.raw import RawAnswer, RawConnection, ask, chat_request, request
from tests.running import RunningProxy
from tests.waiting import until

HEALTHY = (
    "chunked",
    "until-close",
    "every-byte",
    "one-write",
    "crlf",
    "comments",
    "spaced",
    "ascii",
    "obfuscated",
    "no-done",
    "large-events",
    "early-hints",
    "interim-spam",
    "large-headers",
    "trailers",
    "cookies",
    "slow-head",
    "close",
    "close-idle",
    "gzip",
    "deflate",
    "invalid-utf8",
    "error-event",
    "rate-limited",
    *(f"status-{status}" for status in (201, 400, 401, 403, 404, 409, 418, 422, 429, 500, 503, 599)),
)
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "trailer"}


def end_to_end(answer: RawAnswer) -> list[tuple[str, str]]:
    """Headers that concern client and upstream, without the id that is new for every answer and without ours.

    By name; the order means something among headers of the same name only (RFC 9110 section 5.3).
    """
    lowered = [(name.lower(), value) for name, value in answer.headers]
    kept = [
        (name, value)
        for name, value in lowered
        if name not in HOP_BY_HOP | {"x-request-id"} and not name.startswith("x-nightschool-")
    ]
    return sorted(kept, key=lambda header: header[0])


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("stream", [False, True])
def test_status_headers_and_body_are_those_of_the_upstream(
    proxy: RunningProxy, upstream: ScriptedUpstream, name: str, stream: bool
) -> None:
    # Who asks for usage gets it, so nothing has to be hidden; test_usage.py has the others.
    options: Any = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    asked = chat_request(headers=[("x-scripted", name), ("accept-encoding", "gzip, deflate")], **options)

    direct = ask(upstream.url, asked)
    through = ask(proxy.url, asked)

    assert direct.whole
    assert through.whole
    assert through.status == direct.status
    assert end_to_end(through) == end_to_end(direct)
    assert through.body == direct.body


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"model": }', b"[]", b"null", b"\xff\xfe", b'{"model": "x", "model": "y"}']
)
def test_a_body_that_is_no_proper_request_is_forwarded_as_it_came(
    proxy: RunningProxy, upstream: ScriptedUpstream, body: bytes
) -> None:
    asked = request("POST", "/v1/chat/completions", [("content-type", "application/json")], body)
    direct = ask(upstream.url, asked)
    through = ask(proxy.url, asked)

    assert (through.status, through.body) == (direct.status, direct.body)
    assert [seen.body for seen in upstream.seen] == [body, body]


@pytest.mark.parametrize("size", [99_999, 100_001, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_any_size_arrives_whole(
    proxy: RunningProxy, upstream: ScriptedUpstream, size: int, chunked: bool
) -> None:
    """The shared proxy holds at most 100 000 bytes of JSON; what is larger streams through."""
    body = b'{"input": "%b"}' % (b"x" * (size - 13))
    headers = [("content-type", "application/json")]
    if chunked:
        framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in pieces(body, 7_919)) + b"0\r\n\r\n"
        asked = request("POST", "/v1/echo", [*headers, ("transfer-encoding", "chunked")], framed)
    else:
        asked = request("POST", "/v1/echo", headers, body)
    answer = ask(proxy.url, asked)

    (seen,) = upstream.seen
    assert answer.status == 200
    assert seen.body_complete
    assert (seen.body_bytes, seen.body) == (size, body[: 1 << 20])


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def test_each_event_goes_out_as_it_comes_in(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    for asks_for_usage in (False, True):
        upstream.then(Behaviour(fault=Fault.HANG, after=2))
        with RawConnection(proxy.url) as connection:
            connection.send(chat_request(stream=True, stream_options={"include_usage": asks_for_usage}))
            connection.head()
            received = b""
            while received.count(b"\n\n") < 2:
                received += connection.chunk()
            assert upstream.open_answers == 1
            upstream.release()
            while data := connection.chunk():
                received += data
            assert received.endswith(b"data: [DONE]\n\n")


def test_the_head_goes_out_before_the_body_is_there(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    upstream.then(Behaviour(fault=Fault.HANG, after=0))
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request(stream=True))
        status_line, _ = connection.head()
        upstream.release()

    assert " 200" in status_line


def test_several_requests_share_a_connection_on_both_sides(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    with RawConnection(proxy.url) as connection:
        for stream in (False, True) * 5:
            connection.send(chat_request(stream=stream))
            assert connection.answer().whole

    assert len(upstream.seen) == 10
    assert len({seen.connection for seen in upstream.seen}) == 1


def test_pipelined_requests_are_answered_in_order(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request("status-401") + chat_request("status-418") + chat_request())

        assert [connection.answer().status for _ in range(3)] == [401, 418, 200]


def test_an_upstream_that_closes_idle_connections_costs_nobody_a_request(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    for _ in range(10):
        upstream.then(Behaviour(close_idle=True))
        assert ask(proxy.url, chat_request()).status == 200
        until(lambda: upstream.open_connections == 0)


def test_a_client_that_waits_for_100_continue_is_asked_for_its_body(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    body = b'{"model": "plain", "messages": []}'
    head = chat_head(len(body), ("expect", "100-continue"))
    with RawConnection(proxy.url) as connection:
        connection.send(head)
        status_line, _ = connection.head()
        connection.send(body)
        answer = connection.answer()

    assert status_line == "HTTP/1.1 100 Continue"
    assert answer.status == 200
    assert upstream.seen[0].body == body


def test_an_early_answer_to_an_upload_reaches_the_client(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    with RawConnection(proxy.url) as connection:
        headers = [("content-length", "50000000"), ("content-type", "multipart/form-data; boundary=x")]
        connection.send(request("POST", "/v1/files", [*headers, ("x-scripted", "too-large")]) + b"--x\r\n")
        answer = connection.answer()

    assert answer.status == 413
    assert answer.json()["error"]["code"] == "request_too_large"
    assert upstream.seen[0].body_bytes < 50_000_000


def test_a_client_that_speaks_http_1_0_is_answered_and_the_connection_closed(proxy: RunningProxy) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request(stream=True).replace(b" HTTP/1.1", b" HTTP/1.0", 1))
        status_line, headers = connection.head()
        body = connection.rest()

    assert " 200" in status_line
    assert not any(name.lower() == "transfer-encoding" for name, _ in headers)
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_request_cut_into_single_bytes_is_read(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    asked = chat_request()
    with RawConnection(proxy.url) as connection:
        for byte in asked:
            connection.send(bytes([byte]))
        answer = connection.answer()

    assert answer.status == 200
    assert len(upstream.seen) == 1


def test_a_client_that_leaves_in_the_middle_of_its_request_costs_nothing(
    proxy: RunningProxy, upstream: ScriptedUpstream
) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(chat_request()[:-10])

    assert ask(proxy.url, chat_request()).status == 200
    until(lambda: upstream.open_answers == 0)
    assert [seen.answered is not None for seen in upstream.seen] == [True]


def chat_head(length: int, *headers: tuple[str, str]) -> bytes:
    usual = [("content-type", "application/json"), ("content-length", str(length))]
    return request("POST", "/v1/chat/completions", [*usual, *headers])
