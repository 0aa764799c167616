"""A head is recognised only where the parser would read the same of it."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.known_head import KnownHead, divided
from proxy.request_head import RequestHead

HEAD = (
    b"POST /v1/chat/completions?a=b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\n"
    b"Content-Length: %d\r\nX-A: 1\r\n\r\n"
)
BODY = b'{"model": "m"}'
REQUEST = HEAD % len(BODY) + BODY


class Parsed:
    """What the parser says of one message."""

    def __init__(self, data: bytes) -> None:
        self.url = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.method = parser.get_method()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1

    @property
    def but_for_length(self) -> tuple[Any, ...]:
        return self.method, self.url, [header for header in self.headers if header[0] != b"content-length"]


def known(raw: bytes = REQUEST) -> KnownHead:
    parts = divided(raw)
    assert parts is not None
    return KnownHead(*parts, method=b"POST", raw_path=b"/v1/chat/completions", query=b"a=b", head=RequestHead([]))


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 5000, b"\r\n\r\n", REQUEST])
def test_a_request_with_the_same_head_and_another_body_is_recognised(body: bytes) -> None:
    assert known().body_of(HEAD % len(body) + body) == body


@pytest.mark.parametrize(
    "data",
    [
        REQUEST[:-1],
        REQUEST + b"x",
        REQUEST + REQUEST,
        REQUEST.replace(b"X-A: 1", b"X-A: 2"),
        REQUEST.replace(b"POST", b"PUT"),
        REQUEST.replace(b"14", b"+14"),
        REQUEST.replace(b"14", b"1_4"),
        REQUEST.replace(b"14", b" 14"),
        REQUEST.replace(b"14", b"14 "),
        REQUEST.replace(b"14", b""),
        REQUEST.replace(b"14", b"14, 14"),
        REQUEST.replace(b"14\r\n", b"14\r\nContent-Length: 3\r\n"),
        REQUEST.replace(b"14\r\n", b"14\r\nTransfer-Encoding: chunked\r\n"),
        REQUEST.replace(b"14\r\n", b"14\n"),
        REQUEST[:40],
        b"",
    ],
)
def test_everything_else_is_left_to_the_parser(data: bytes) -> None:
    assert known().body_of(data) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\nContent-Length: 5\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n" + REQUEST,
    ],
)
def test_a_head_without_a_length_in_the_usual_place_is_not_learned(raw: bytes) -> None:
    assert divided(raw) is None


@given(
    at=st.integers(0, len(REQUEST)),
    cut=st.integers(0, 30),
    put=st.one_of(st.binary(max_size=20), st.sampled_from([b"\r\n", b"0", b"14", b"\r\nContent-Length: 1", b" "])),
)
@example(at=REQUEST.index(b"14"), cut=2, put=b"014")
def test_whatever_is_recognised_the_parser_reads_in_the_same_way(at: int, cut: int, put: bytes) -> None:
    data = REQUEST[:at] + put + REQUEST[at + cut :]

    body = known().body_of(data)

    if body is not None:
        parsed = Parsed(data)
        assert (parsed.ended, parsed.body) == (1, body)
        assert parsed.but_for_length == Parsed(REQUEST).but_for_length
