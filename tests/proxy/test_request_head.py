"""A request's headers are read once, whatever is asked of them and however often."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.connection import Headers
from proxy.control import BadControlHeader, Control
from proxy.headers import Replacement, forwarded_lines
from proxy.request_head import RequestHead

TOKENS = st.from_regex(rb"\A[a-z0-9-]{1,12}\Z")
HEADERS = st.lists(st.tuples(TOKENS, TOKENS), max_size=6)


def test_headers_are_found_by_name_and_of_a_repeated_one_the_last() -> None:
    head = RequestHead([(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"2")])

    assert head.by_name == {b"host": b"h", b"x-a": b"2"}


@pytest.mark.parametrize(
    ("headers", "content_type"),
    [([(b"content-type", b"Application/JSON; charset=UTF-8")], "application/json; charset=utf-8"), ([], "")],
)
def test_the_content_type_is_read_in_any_case(headers: Headers, content_type: str) -> None:
    assert RequestHead(headers).content_type == content_type


@pytest.mark.parametrize(
    ("value", "expects"), [(b"100-continue", True), (b"100-Continue", True), (b"something", False)]
)
def test_who_expects_100_is_known(value: bytes, expects: bool) -> None:
    assert RequestHead([(b"expect", value)]).expects_100 is expects
    assert not RequestHead([]).expects_100


# -- for an upstream


@given(HEADERS, HEADERS)
def test_the_lines_are_those_of_the_headers_at_every_call(theirs: Headers, ours: Headers) -> None:
    head, replacement = RequestHead(theirs), Replacement(ours)
    expected = forwarded_lines(theirs, replacement)

    assert (head.lines(replacement), head.lines(replacement)) == (expected, expected)


def test_the_lines_for_an_upstream_are_made_once() -> None:
    head, replacement = RequestHead([(b"x-a", b"1")]), Replacement([(b"x-b", b"2")])

    assert head.lines(replacement) is head.lines(replacement)


def test_each_upstream_gets_its_own_lines() -> None:
    head = RequestHead([(b"authorization", b"theirs"), (b"x-a", b"1")])
    first, second, plain = (Replacement(own) for own in ([(b"api-key", b"1")], [(b"authorization", b"2")], []))

    for _ in range(2):
        assert head.lines(first) == b"x-a: 1\r\napi-key: 1\r\n"
        assert head.lines(second) == b"x-a: 1\r\nauthorization: 2\r\n"
        assert head.lines(plain) == b"authorization: theirs\r\nx-a: 1\r\n"


def test_upstreams_that_come_and_go_are_not_remembered_forever() -> None:
    head = RequestHead([(b"x-a", b"1")])
    upstreams = [Replacement([(b"x-own", b"%d" % number)]) for number in range(100)]

    for number, replacement in enumerate(upstreams):
        assert head.lines(replacement) == b"x-a: 1\r\nx-own: %d\r\n" % number
    assert head.lines(upstreams[0]) == b"x-a: 1\r\nx-own: 0\r\n"
    assert len(head._lines) <= 8


# -- for us


def test_what_is_said_to_us_is_read_and_not_passed_on() -> None:
    head = RequestHead([(b"x-nightschool-record", b"off"), (b"x-a", b"1"), (b"x-nightschool-workload", b"invoices")])

    assert head.control == Control(workload="invoices", record=False)
    assert head.control_fault is None
    assert head.lines(Replacement([])) == b"x-a: 1\r\n"


def test_who_says_nothing_to_us_has_said_nothing() -> None:
    head = RequestHead([(b"x-night", b"1")])

    assert (head.control, head.control_fault) == (Control(), None)


@pytest.mark.parametrize(
    ("headers", "name", "says"),
    [
        ([(b"x-nightschool-record", b"maybe")], "x-nightschool-record", "'maybe' is neither on nor off"),
        ([(b"x-nightschool-tag", b"{}")], "x-nightschool-tag", "did you mean x-nightschool-tags?"),
        ([(b"x-nightschool-record", b"on")] * 2, "x-nightschool-record", "given twice"),
        (
            [(b"x-nightschool-workload", b"fine"), (b"x-nightschool-tags", b"[")],
            "x-nightschool-tags",
            "not a JSON object of strings",
        ),
    ],
)
def test_nonsense_is_kept_for_the_answer_and_nothing_of_it_obeyed(headers: Headers, name: str, says: str) -> None:
    head = RequestHead([(b"x-a", b"1"), *headers])

    assert isinstance(head.control_fault, BadControlHeader)
    assert head.control_fault.header == name
    assert says in str(head.control_fault)
    assert head.control == Control()


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([(b"api-key", b"b"), (b"authorization", b"Bearer a")], b"Bearer a"),
        ([(b"x-api-key", b"c"), (b"api-key", b"b")], b"b"),
        ([(b"x-api-key", b"c")], b"c"),
        ([(b"authorization", b"")], b""),
        ([(b"cookie", b"d")], None),
        ([], None),
    ],
)
def test_a_caller_is_known_by_one_credential(headers: Headers, found: bytes | None) -> None:
    assert RequestHead(headers).credential == found
