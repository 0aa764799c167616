"""The end of a stream is noticed with its last piece: not before the record has all of it, not after the client."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stream_end import StreamEnd, goes_on

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


EVENT = b'data: {"choices":[{"delta":{"content":"data: [DONE]\\n\\ndata: [DONE]"}}]}\n\n'


def test_one_more_event_in_the_middle_is_told_from_all_else() -> None:
    assert goes_on(EVENT)
    others = [b"", b"data: [DONE]\n\n", EVENT + EVENT, EVENT[:-1], EVENT[1:], EVENT + b"data: [DONE]\n\n", RESPONSES]
    assert not any(map(goes_on, [*others, EVENT.replace(b"\n", b"\r\n"), EVENT[:-1] + b"data: [DONE]\n\n"]))


@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from([EVENT, b"data: {}\n\n", b"data: [DONE]", b"\n", b"\n\n", b"data: {", b"}\n\n"]),
            st.sampled_from([b"event: response.completed\n", b"event: response.", b": \n\n"]),
        ),
        max_size=4,
    ).map(b"".join),
    before=st.sampled_from([b"", EVENT, b": x\n\n", b"event: response.created\ndata: {}\r\n\r\n"]),
)
def test_what_goes_on_is_not_the_end_of_a_stream_that_was_between_events(pieces: bytes, before: bytes) -> None:
    end, behind = StreamEnd(), StreamEnd()
    assert not end.is_in(before)
    assert not behind.is_in(before)

    if goes_on(pieces):
        assert not end.is_in(pieces)
        # Nor is the end overlooked by what has not seen the piece.
        assert behind.is_in(b"data: [DONE]\n\n")
