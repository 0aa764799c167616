"""Requests that two servers could read differently are refused before anything of them reaches an upstream."""

from __future__ import annotations

import pytest

from demo.scripted_upstream import ScriptedUpstream
from tests.raw import RawConnection, ask, chat_request
from tests.running import RunningProxy

BODY = b'{"model": "plain", "messages": []}'
INNER = b"GET /v1/smuggled HTTP/1.1\r\nhost: x\r\n\r\n"


def shape(*lines: bytes, body: bytes = BODY, first: bytes = b"POST /v1/chat/completions HTTP/1.1") -> bytes:
    """A request whose head has exactly these lines behind the request line and ``host``."""
    return b"\r\n".join([first, b"host: localhost", b"content-type: application/json", *lines, b"", body])


LENGTH = b"content-length: %d" % len(BODY)
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
UPGRADE = b"connection: upgrade\r\nupgrade: h2c"
SHAPES = {
    "length and chunks": shape(LENGTH, b"transfer-encoding: chunked", body=CHUNKED),
    "chunks and length": shape(b"transfer-encoding: chunked", LENGTH, body=CHUNKED),
    "two lengths that differ": shape(LENGTH, b"content-length: 3"),
    "two lengths in one line": shape(b"content-length: 3, 4", body=b"{}  "),
    "the same length twice": shape(LENGTH, LENGTH),
    "a negative length": shape(b"content-length: -5"),
    "a length with a sign": shape(b"content-length: +%d" % len(BODY)),
    "a hexadecimal length": shape(b"content-length: 0x10"),
    "an empty length": shape(b"content-length:"),
    "a length beyond 64 bits": shape(b"content-length: 99999999999999999999999"),
    "an unknown coding": shape(b"transfer-encoding: xchunked", body=CHUNKED),
    "a coding behind chunked": shape(b"transfer-encoding: chunked, identity", body=CHUNKED),
    "two codings": shape(b"transfer-encoding: identity", b"transfer-encoding: chunked", LENGTH, body=CHUNKED),
    "a folded header": shape(b"x-folded: a", b" b", LENGTH),
    "a folded coding": shape(b"transfer-encoding:", b" chunked", LENGTH, body=CHUNKED),
    "a blank before the colon": shape(b"content-length : %d" % len(BODY)),
    "a blank before a name": shape(b" content-length: %d" % len(BODY)),
    "a bare line feed between headers": shape(b"x-a: b\nx-c: d", LENGTH),
    "bare line feeds throughout": shape(LENGTH).replace(b"\r\n", b"\n"),
    "a bare carriage return": shape(b"x-a: b\rx-c: d", LENGTH),
    "a NUL in a value": shape(b"x-a: b\0c", LENGTH),
    "a name that is no token": shape(b"x(a): b", LENGTH),
    "a chunk size that is no number": shape(b"transfer-encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk size with a sign": shape(b"transfer-encoding: chunked", body=b"+2\r\n{}\r\n0\r\n\r\n"),
    "a chunk size beyond 64 bits": shape(b"transfer-encoding: chunked", body=b"fffffffffffffffff\r\n{}\r\n"),
    "a chunk longer than its size": shape(b"transfer-encoding: chunked", body=b"1\r\n{}\r\n0\r\n\r\n"),
    "a chunk with a bare line feed": shape(b"transfer-encoding: chunked", body=b"2\n{}\n0\n\n"),
    "no version": shape(LENGTH, first=b"POST /v1/chat/completions"),
    "a version of the future": shape(LENGTH, first=b"POST /v1/chat/completions HTTP/3.7"),
    "a blank in the target": shape(LENGTH, first=b"POST /v1/chat completions HTTP/1.1"),
    "length and chunks beside an upgrade": shape(UPGRADE, LENGTH, b"transfer-encoding: chunked", body=CHUNKED),
    "two lengths beside an upgrade": shape(UPGRADE, LENGTH, b"content-length: 3"),
    "an unknown coding beside an upgrade": shape(UPGRADE, b"transfer-encoding: xchunked", body=CHUNKED),
    "a coding behind chunked beside an upgrade": shape(UPGRADE, b"transfer-encoding: chunked, identity", body=CHUNKED),
    "two hosts": shape(b"host: elsewhere", LENGTH),
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_ambiguous_request_is_400_in_openais_shape_and_ends_the_connection(
    proxy: RunningProxy, upstream: ScriptedUpstream, name: str
) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(SHAPES[name] + INNER)
        answer = connection.answer()
        rest = connection.rest()

    assert (answer.status, rest) == (400, b"")
    assert answer.header("content-type") == "application/json"
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    # A broken chunk is met when the head is already on its way: then the request is never completed.
    assert [seen.target for seen in upstream.seen if seen.body_complete] == []


def test_a_request_without_a_host_is_400(proxy: RunningProxy, upstream: ScriptedUpstream) -> None:
    answer = ask(proxy.url, shape(LENGTH).replace(b"host: localhost\r\n", b""))

    assert (answer.status, upstream.seen) == (400, [])


def test_garbage_gets_400_and_a_closed_connection(proxy: RunningProxy) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS is not spoken here\r\n\r\n")
        answer = connection.answer()

        assert answer.status == 400
        assert connection.rest() == b""


def test_a_head_without_end_is_cut_off(proxy: RunningProxy) -> None:
    with RawConnection(proxy.url) as connection:
        connection.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n")
        try:
            for _ in range(200):
                connection.send(b"x-a: %b\r\n" % (b"y" * 8_000))
            answer = connection.answer()
            assert answer.status in (400, 431)
        except ConnectionError:
            pass  # cut off before it had finished: as good

    assert ask(proxy.url, chat_request()).status == 200


@pytest.mark.parametrize("framing", [b"content-length: %d" % len(INNER), b"transfer-encoding: chunked"])
def test_a_body_beside_an_upgrade_is_never_a_request(
    proxy: RunningProxy, upstream: ScriptedUpstream, framing: bytes
) -> None:
    body = INNER if b"length" in framing else b"%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER)
    with RawConnection(proxy.url) as connection:
        for _ in range(2):
            connection.send(shape(UPGRADE, framing, body=body))
            assert connection.answer().status < 500

    assert [(seen.target, seen.body) for seen in upstream.seen] == [("/v1/chat/completions", INNER)] * 2
