"""The end of a stream is noticed with its last piece: not before the record has all of it, not after the client."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream_end import StreamEnd

CHAT = b'data: {"choices":[{"delta":{"content":"data: [DONE]"}}]}\n\ndata: [DONE]'
RESPONSES = (
    b'event: response.output_text.delta\ndata: {"delta":"event: response.completed"}\n\n'
    b'event: response.completed\ndata: {"type":"response.completed","response":{"usage":{}}}\n\n'
)
STREAMS = {
    "chat": CHAT,
    "chat in CRLF": CHAT.replace(b"\n", b"\r\n"),
    "responses": RESPONSES,
    "responses in CRLF": RESPONSES.replace(b"\n", b"\r\n"),
    "an incomplete response": RESPONSES.replace(b"event: response.completed\n", b"event: response.incomplete\n"),
    "a failed response": RESPONSES.replace(b"event: response.completed\n", b"event: response.failed\n"),
}


@pytest.mark.parametrize("name", STREAMS)
@given(cuts=st.sets(st.integers(1, 250)))
def test_however_a_stream_is_cut_its_end_is_in_the_piece_with_its_last_byte(name: str, cuts: set[int]) -> None:
    stream = STREAMS[name]
    borders = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(borders)]
    end = StreamEnd()

    assert [end.is_in(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]


@pytest.mark.parametrize(
    "stream",
    [b"", b'data: {"content":"\\ndata: [DONE]"}\n\n', b"event: response.created\ndata: {}\n\n", b": data: [DONE]\n\n"],
)
def test_what_only_looks_like_an_end_is_none(stream: bytes) -> None:
    assert not StreamEnd().is_in(stream)
