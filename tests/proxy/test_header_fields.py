"""Which header fields go on, which stay behind, and whose credential is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.connection import Headers
from proxy.headers import AnswerHead, Replacement, forwarded_lines, framing, read_answer_head

NOTHING = Replacement([])
TOKENS = st.from_regex(rb"\A[a-z0-9-]{1,12}\Z")


def sent(headers: Headers, replacement: Replacement = NOTHING) -> list[bytes]:
    """The header lines for the upstream, without their ends."""
    *lines, rest = forwarded_lines(headers, replacement).split(b"\r\n")
    assert rest == b""
    return lines


def passed(headers: Headers) -> list[bytes]:
    """The header lines for the client but for the length, without their ends."""
    lines = read_answer_head(headers).lines
    assert all(line.endswith(b"\r\n") for line in lines)
    return [line[:-2] for line in lines]


def test_headers_pass_in_their_order_with_their_duplicates() -> None:
    assert sent([(b"x-a", b"1"), (b"accept", b""), (b"x-a", b"2")]) == [b"x-a: 1", b"accept: ", b"x-a: 2"]


@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
        *(b"host", b"content-length", b"expect", b"proxy-authorization", b"proxy-authenticate"),
        *(b"x-nightschool-tags", b"x-nightschool-anything"),
    ],
)
def test_a_header_for_this_connection_or_for_us_stays_behind(name: bytes) -> None:
    assert sent([(b"x-a", b"1"), (name, b"7"), (b"x-b", b"2")]) == [b"x-a: 1", b"x-b: 2"]


@pytest.mark.parametrize("value", [b"x-hop, X-Other", b"keep-alive,x-hop , x-other", b"close, x-hop,,x-other"])
def test_headers_that_connection_names_stay_behind_both_ways(value: bytes) -> None:
    headers = [(b"x-hop", b"1"), (b"connection", value), (b"x-other", b"1"), (b"x-stays", b"1")]

    assert sent(headers) == [b"x-stays: 1"]
    assert passed(headers) == [b"x-stays: 1"]


def test_several_connection_headers_all_count() -> None:
    headers = [(b"connection", b"keep-alive"), (b"x-hop", b"1"), (b"connection", b"x-hop"), (b"x-stays", b"1")]

    assert sent(headers) == [b"x-stays: 1"]
    assert passed(headers) == [b"x-stays: 1"]


@given(st.lists(st.tuples(TOKENS, TOKENS), max_size=6), st.lists(TOKENS, max_size=3))
def test_exactly_the_named_ones_are_missing(headers: Headers, named: list[bytes]) -> None:
    headers = [(b"x-" + name, value) for name, value in headers]
    named = [b"x-" + name for name in named]
    connection = (b"connection", b", ".join([b"keep-alive", *named]))

    kept = [b"%b: %b" % header for header in headers if header[0] not in named]
    assert sent([connection, *headers]) == kept
    assert passed([*headers, connection]) == kept


@pytest.mark.parametrize("name", [b"authorization", b"api-key"])
def test_a_credential_of_ours_replaces_every_one_of_the_callers(name: bytes) -> None:
    theirs = [(b"authorization", b"a"), (b"api-key", b"b"), (b"x-api-key", b"c"), (b"cookie", b"d")]

    assert sent(theirs, Replacement([(name, b"ours")])) == [b"cookie: d", name + b": ours"]


def test_the_caller_cannot_talk_our_credential_away() -> None:
    headers = [(b"connection", b"authorization"), (b"authorization", b"theirs")]

    assert sent(headers, Replacement([(b"authorization", b"ours")])) == [b"authorization: ours"]


def test_another_header_of_ours_replaces_its_namesake_only() -> None:
    theirs = [(b"authorization", b"a"), (b"accept-encoding", b"gzip"), (b"accept-encoding", b"br")]

    assert sent(theirs, Replacement([(b"accept-encoding", b"identity")])) == [
        b"authorization: a",
        b"accept-encoding: identity",
    ]


@pytest.mark.parametrize(
    ("method", "body_bytes", "lines"),
    [
        (b"GET", 0, b""),
        (b"DELETE", 0, b""),
        (b"GET", 5, b"content-length: 5\r\n"),
        (b"POST", 0, b"content-length: 0\r\n"),
        (b"PUT", 0, b"content-length: 0\r\n"),
        (b"POST", 5, b"content-length: 5\r\n"),
        (b"POST", None, b"transfer-encoding: chunked\r\n"),
    ],
)
def test_the_body_is_framed_by_us(method: bytes, body_bytes: int | None, lines: bytes) -> None:
    theirs = [(b"content-length", b"99"), (b"transfer-encoding", b"chunked")]

    assert forwarded_lines(theirs, NOTHING) + framing(method, body_bytes) == lines + b"\r\n"


def test_answer_headers_come_in_their_order_with_their_duplicates_and_the_length_apart() -> None:
    headers = [
        (b"set-cookie", b"a"),
        (b"content-length", b"5"),
        (b"keep-alive", b"timeout=5"),
        (b"x-a", b""),
        (b"set-cookie", b"b"),
    ]

    assert passed(headers) == [b"set-cookie: a", b"x-a: ", b"set-cookie: b"]
    assert read_answer_head(headers).content_length == b"content-length: 5\r\n"


def test_an_answer_that_says_nothing_is_read_as_that() -> None:
    assert read_answer_head([]) == AnswerHead([], None, b"", b"", None)


def test_what_the_record_needs_of_an_answer_is_read_and_passed_on_as_it_came() -> None:
    headers = [
        (b"content-type", b"Text/Event-Stream; charset=UTF-8"),
        (b"content-encoding", b"GZIP"),
        (b"x-request-id", b"req_A"),
    ]
    head = read_answer_head(headers)

    assert (head.content_type, head.content_encoding) == (b"text/event-stream; charset=utf-8", b"gzip")
    assert head.request_id == b"req_A"
    assert passed(headers) == [b"%b: %b" % header for header in headers]


def test_an_encoding_of_identity_is_none_and_passed_on_as_it_came() -> None:
    headers = [(b"content-encoding", b"Identity")]

    assert read_answer_head(headers).content_encoding == b""
    assert passed(headers) == [b"content-encoding: Identity"]


@pytest.mark.parametrize("name", [b"x-request-id", b"apim-request-id"])
def test_the_upstreams_own_id_is_known_by_openais_and_by_azures_name(name: bytes) -> None:
    assert read_answer_head([(name, b"7")]).request_id == b"7"


@pytest.mark.parametrize("name", [b"x-nightschool-id", b"x-nightschool-target", b"x-nightschool-anything"])
def test_what_an_upstream_says_in_our_name_stays_behind(name: bytes) -> None:
    assert passed([(name, b"forged"), (b"x-a", b"1")]) == [b"x-a: 1"]


@pytest.mark.parametrize(
    "name", [b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"]
)
def test_an_answers_header_for_the_upstreams_connection_stays_behind(name: bytes) -> None:
    assert passed([(b"x-a", b"1"), (name, b"x-b"), (b"x-c", b"2")]) == [b"x-a: 1", b"x-c: 2"]


def test_an_answers_connection_header_is_read_in_any_case() -> None:
    assert passed([(b"connection", b"X-Hop"), (b"x-hop", b"1")]) == []


def test_what_connection_names_is_not_read_for_the_record_either() -> None:
    headers = [
        (b"content-type", b"text/html"),
        (b"content-length", b"5"),
        (b"x-request-id", b"7"),
        (b"connection", b"close, content-type, content-length, x-request-id"),
    ]

    assert read_answer_head(headers) == AnswerHead([], None, b"", b"", None)
