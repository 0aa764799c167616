"""Bytes -> events -> data."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.wire.sse import EventSplitter, event_data, is_event_stream

BYTES = st.lists(
    st.sampled_from([b"data: {}", b"data:x", b": ping", b"event: a", b"\n", b"\r", b"\r\n", b"\xe2\x82", b""])
)


def split(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.rest


@settings(deadline=None)
@given(BYTES)
def test_events_and_rest_joined_are_the_bytes_that_came(pieces: list[bytes]) -> None:
    events, rest = split(pieces)

    assert b"".join([*events, rest]) == b"".join(pieces)


@settings(deadline=None)
@given(BYTES, st.data())
def test_the_events_do_not_depend_on_where_the_bytes_are_cut(pieces: list[bytes], data: st.DataObject) -> None:
    body = b"".join(pieces)
    cut = data.draw(st.integers(0, len(body)))
    one_by_one = [body[at : at + 1] for at in range(len(body))]

    assert split([body[:cut], body[cut:]]) == split([body]) == split(one_by_one)


@settings(deadline=None)
@given(BYTES, st.data())
def test_feeding_for_data_gives_the_data_of_the_events(pieces: list[bytes], data: st.DataObject) -> None:
    body = b"".join(pieces)
    cut = data.draw(st.integers(0, len(body)))
    splitter = EventSplitter()
    found = splitter.feed_data(body[:cut]) + splitter.feed_data(body[cut:])

    assert found == [event for event in map(event_data, split([body])[0]) if event is not None]


def test_an_event_that_comes_alone_is_passed_on_without_a_copy() -> None:
    chunk = b"data: {}\n\n"

    assert EventSplitter().feed(chunk)[0] is chunk


def test_an_event_is_out_as_soon_as_its_blank_line_is_in() -> None:
    splitter = EventSplitter()

    assert splitter.feed(b"data: 1\r\n\r") == []
    assert splitter.feed(b"\ndata: 2\n") == [b"data: 1\r\n\r\n"]
    assert splitter.feed(b"\n") == [b"data: 2\n\n"]
    assert splitter.rest == b""


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b'data: {"a":1}\n\n', b'{"a":1}'),
        (b"data:{}\n\n", b"{}"),
        (b"data:  two\n\n", b" two"),
        (b"data: one\ndata: two\n\n", b"one\ntwo"),
        (b"data: one\rdata: two\r\r", b"one\ntwo"),
        (b"event: x\r\nid: 7\r\ndata: one\r\n: c\r\ndata: two\r\n\r\n", b"one\ntwo"),
        (b"\xef\xbb\xbfdata: marked\n\n", b"marked"),
        (b"\ndata: behind a blank line\n\n", b"behind a blank line"),
        (b"data\n\n", b""),
        (b"data: [DONE]", b"[DONE]"),
        (b": ping\n\n", None),
        (b"event: ping\n\n", None),
        (b"database: x\n\n", None),
        (b"\n\n", None),
        (b"", None),
    ],
)
def test_the_data_of_an_event_is_its_data_lines(event: bytes, data: bytes | None) -> None:
    assert event_data(event) == data


@pytest.mark.parametrize(
    ("content_type", "head", "expected"),
    [
        ("text/event-stream", b"", True),
        ("Text/Event-Stream; charset=utf-8", b"{}", True),
        ("application/json", b'data: {"id":1}\n\n', True),
        ("", b": ping\n\n: ping\n\nevent: message_start\ndata: {}\n\n", True),
        ("", b"\xef\xbb\xbfdata:{}", True),
        ("application/json", b'{"data: {": 1}', False),
        ("text/plain", b"data: points and more\n", False),
        ("audio/mpeg", b"data: {}", False),
        ("", b"", False),
    ],
)
def test_a_body_is_a_stream_by_its_type_or_by_how_it_begins(content_type: str, head: bytes, expected: bool) -> None:
    assert is_event_stream(content_type, head) is expected
