"""A chunk is recognised only where the parser would read the same, and be at the same place behind it."""

from __future__ import annotations

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.chunk import whole_chunk

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
LENGTHS = st.sampled_from([b"%x", b"%X", b"0%x", b"+%x", b" %x", b"%x ", b"%x;a=b", b"0x%x", b"%x_0"])
PIECES = st.lists(
    st.one_of(
        st.sampled_from([b"\r\n", b"\n", b"0\r\n", b"0\r\n\r\n", b"5", b"a", b"1\r\na\r\n"]), st.binary(max_size=9)
    )
).map(b"".join)


class Parsed:
    """What the parser makes of what comes after a head."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.chunks = self.ended = 0
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(HEAD)
        parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_chunk_complete(self) -> None:
        self.chunks += 1

    def on_message_complete(self) -> None:
        self.ended += 1


def framed(content: bytes, length: bytes = b"%x") -> bytes:
    return (length % len(content)) + b"\r\n" + content + b"\r\n"


@pytest.mark.parametrize("content", [b"x", b"data: 1\n\n", b"\r\n", framed(b"x"), b"y" * 100_000])
@pytest.mark.parametrize("length", [b"%x", b"%X"])
def test_one_chunk_is_recognised_whatever_is_in_it(content: bytes, length: bytes) -> None:
    assert whole_chunk(framed(content, length)) == content


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"0\r\n\r\n",
        b"5\r\nhello",
        b"5\r\nhello\r",
        b"5\r\nhello\r\n\r\n",
        b"5\r\nhell\r\n",
        b"5\r\nhello!\r\n",
        b"5\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"5;a=b\r\nhello\r\n",
        framed(b"a") + framed(b"b"),
        framed(b"a") + b"0\r\n\r\n",
        framed(b"a") + b"5",
    ],
)
def test_what_is_less_or_more_than_one_chunk_is_left_to_the_parser(data: bytes) -> None:
    assert whole_chunk(data) is None


@given(st.one_of(PIECES, st.builds(framed, st.binary(max_size=40), LENGTHS)))
@example(b"1\r\n0\r\n\r\n")
def test_what_is_recognised_is_what_the_parser_reads(data: bytes) -> None:
    content = whole_chunk(data)

    if content is not None:
        parsed = Parsed(data + b"0\r\n\r\n")
        assert (parsed.body, parsed.chunks, parsed.ended) == (content, 2, 1)
