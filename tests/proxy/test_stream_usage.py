"""Usage is asked for and hidden again without a trace; every other byte is as it was."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.facts import RequestFacts
from proxy.stream_usage import MAX_HELD_BYTES, UsageFilter, asks_for_usage, member_span, with_usage_asked

KEY = b'"stream_options"'
FINAL = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":3,"total_tokens":5}}\n\n'
DONE = b"data: [DONE]\n\n"

# What an upstream sends that was asked for usage, and what it would have sent otherwise.
PAIRS = [
    (
        b'data: {"id":"c","choices":[{"delta":{"content":"a"}}],"usage":null}\n\n',
        b'data: {"id":"c","choices":[{"delta":{"content":"a"}}]}\n\n',
    ),
    (
        b'data: {"id":"c","usage":null,"choices":[{"delta":{}}]}\n\n',
        b'data: {"id":"c","choices":[{"delta":{}}]}\n\n',
    ),
    (
        b'data: {"usage":null,"choices":[{"delta":{}}]}\n\n',
        b'data: {"choices":[{"delta":{}}]}\n\n',
    ),
    (
        b'data: {"choices":[{"delta":{"content":"b"}}],"usage":null,"obfuscation":"xY"}\n\n',
        b'data: {"choices":[{"delta":{"content":"b"}}],"obfuscation":"xY"}\n\n',
    ),
    (
        b'data: {"choices": [{"delta": {"content": "c"}}], "usage": null}\n\n',
        b'data: {"choices": [{"delta": {"content": "c"}}]}\n\n',
    ),
    (
        b'event: chunk\r\ndata: {"choices":[{"delta":{}}], "usage" : null}\r\n\r\n',
        b'event: chunk\r\ndata: {"choices":[{"delta":{}}]}\r\n\r\n',
    ),
    (
        b'data: {"choices":[{"delta":{},"usage":null}],"usage":null}\n\n',
        b'data: {"choices":[{"delta":{},"usage":null}]}\n\n',
    ),
    (FINAL, b""),
    (b'data: {"id": "c", "choices": [], "usage": {"total_tokens": 5}}\r\n\r\n', b""),
]

UNTOUCHED = [
    b'data: {"choices":[{"delta":{"content":"the word \\"usage\\": null, and usage"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":",\\"usage\\":null}"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"usage"}}]}\n\n',
    b'data: {"choices":[{"usage":null,"delta":{}}]}\n\n',
    b'data: {"choices":[{"delta":{}}],"x_vendor":{"usage":null}}\n\n',
    b'data: {"choices":[{"delta":{}}],"x_vendor":{"usage":{"total_tokens":1}}}\n\n',
    b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"total_tokens":1}}\n\n',
    b'data: {"choices":[],"usage":"none"}\n\n',
    b'data: {"choices":[],"prompt_filter_results":[]}\n\n',
    b'data: {"choices":[{"delta":{"content":"caf\xc3\xa9 \xf0\x9f\xa6\x89"}}]}\n\n',
    b'data: not json, "usage": null\n\n',
    b'data: {"cut":"usage","usage":null\n\n',
    b': ping "usage"\n\n',
    b'data: \xff\xfe "usage":null\n\n',
    b"\n\n",
    DONE,
]

EVENTS = [*PAIRS, *[(event, event) for event in UNTOUCHED]]


def filtered(stream: bytes, cuts: list[int] | None = None) -> bytes:
    usage = UsageFilter()
    ends = sorted({min(cut, len(stream)) for cut in cuts or []} | {len(stream)})
    passed = b"".join(usage.feed(stream[a:b]) for a, b in zip([0, *ends], ends, strict=False))
    return passed + usage.flush()


@pytest.mark.parametrize(("asked", "unasked"), PAIRS)
def test_what_was_asked_for_is_taken_out(asked: bytes, unasked: bytes) -> None:
    assert filtered(asked) == unasked


@pytest.mark.parametrize("event", UNTOUCHED)
def test_what_only_looks_like_it_is_left_alone(event: bytes) -> None:
    assert filtered(event) == event


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.lists(st.integers(0, 900), max_size=12))
@example(EVENTS, [])
def test_a_stream_in_any_pieces_comes_out_as_it_would_have_been(
    events: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    asked, unasked = (b"".join(side) for side in zip(*events, strict=True)) if events else (b"", b"")

    assert filtered(asked, cuts) == unasked


@given(st.lists(st.binary(max_size=40), max_size=10))
@example([b"data: 1\n", b"\ndata: 2\r", b"\n\r\n", b"data: 3"])
def test_bytes_without_usage_pass_whatever_they_are(pieces: list[bytes]) -> None:
    usage = UsageFilter()

    assert b"".join(map(usage.feed, pieces)) + usage.flush() == b"".join(pieces)


def test_an_event_is_passed_on_as_soon_as_it_is_whole() -> None:
    usage = UsageFilter()

    assert usage.feed(b'data: {"a":1}\n\ndata: {"b"') == b'data: {"a":1}\n\n'
    assert usage.feed(b":2}\n\n") == b'data: {"b":2}\n\n'


def test_an_unfinished_event_is_given_out_at_the_end_as_it_came() -> None:
    usage = UsageFilter()

    assert usage.feed(b'data: {"choices":[],"usage":null') == b""
    assert usage.flush() == b'data: {"choices":[],"usage":null'
    assert usage.flush() == b""


def test_an_event_of_more_than_a_mebibyte_passes_and_is_never_held_in_full() -> None:
    event = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n' % (b"x" * (3 * MAX_HELD_BYTES))
    usage = UsageFilter()

    passed = [usage.feed(event[at : at + 65536]) for at in range(0, len(event), 65536)]

    assert b"".join(passed) + usage.flush() == event
    assert sum(map(len, passed[: len(passed) // 2])) > 0
    assert usage.feed(FINAL) == b""


def test_an_event_nested_beyond_reason_is_filtered_like_any_other() -> None:
    nested = b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n\n"

    assert filtered(b'data: {"usage":null,' + nested) == b"data: {" + nested


# -- asking

JSON_TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(['"', "\\", '\\"', "stream_options", '"stream_options":', "{", "}", "]", ',"stream_options":{}']),
)
KEYS = st.one_of(st.sampled_from(["stream_options", "include_usage", "tools", "model"]), JSON_TEXT)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | JSON_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)
OPTIONS = st.none() | st.dictionaries(st.sampled_from(["include_usage", "include_obfuscation"]), st.booleans())
STYLES = st.sampled_from(
    [
        {"separators": (",", ":")},
        {},
        {"indent": 2},
        {"ensure_ascii": False},
        {"separators": (" ,\n", "\t: ")},
    ]
)


def facts_of(body: bytes) -> RequestFacts:
    return RequestFacts("/chat/completions", {}, body, header_tags={}, deployment=None)


def encoded(document: Any, style: dict[str, Any]) -> bytes:
    return json.dumps(document, **style).encode("utf-8", "surrogatepass")


@given(OBJECTS, OPTIONS, STYLES, st.sampled_from([b"", b"\n", b" \r\n\t"]), st.booleans())
def test_asking_changes_nothing_but_the_one_member(
    document: dict[str, Any], options: dict[str, bool] | None, style: dict[str, Any], behind: bytes, given_before: bool
) -> None:
    document = {k: v for k, v in document.items() if k != "stream_options"}
    before, after = dict(list(document.items())[:2]), dict(list(document.items())[2:])
    member = {"stream_options": options} if given_before else {}
    whole = {"stream": True} | before | member | {k: v for k, v in after.items() if k not in before}
    body = encoded(whole, style)

    facts = facts_of(body + behind)
    asking = with_usage_asked(body, facts.stream_options)

    wanted = (options or {}) | {"include_usage": True} if given_before else {"include_usage": True}
    assert json.loads(asking) == whole | {"stream_options": wanted}
    if given_before:
        start, end = reference_span(body, "stream_options") or (0, 0)
        assert asking.startswith(body[:start])
        assert asking.endswith(body[end:])
    else:
        assert asking.startswith(body[:-1])
        assert asking[len(body) - 1 :] == b',"stream_options":{"include_usage":true}}'


@given(OBJECTS, STYLES, st.sampled_from(["stream_options", "usage", "tools"]))
@example({"a": "stream_options", "stream_options": "}"}, {}, "stream_options")
@example({"tools": [{"stream_options": {}}], "z": 1}, {}, "stream_options")
def test_the_span_of_a_member_is_what_a_full_parse_finds(
    document: dict[str, Any], style: dict[str, Any], key: str
) -> None:
    body = encoded(document, style)

    assert member_span(body, b'"%b"' % key.encode()) == reference_span(body, key)


def reference_span(body: bytes, key: str) -> tuple[int, int] | None:
    """The same by way of the standard library's scanner, which reads every value on the way."""
    text = body.decode("utf-8", "surrogatepass")
    decoder = json.JSONDecoder()
    at = _skip(text, 1)
    while text[at] != "}":
        start = at
        found, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        _, at = decoder.raw_decode(text, at)
        if found == key:
            return _bytes_before(text, start), _bytes_before(text, at)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
    return None


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _bytes_before(text: str, at: int) -> int:
    return len(text[:at].encode("utf-8", "surrogatepass"))


def test_options_that_are_no_object_are_replaced_by_ones_that_are() -> None:
    for options in (b'"x}"', b"null", b"17", b"[1,{}]"):
        body = b'{"stream":true,"stream_options" : %b , "n":1}' % options
        asking = with_usage_asked(body, facts_of(body).stream_options)

        assert asking == b'{"stream":true,"stream_options":{"include_usage":true} , "n":1}'


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ("null", False),
        ("{}", False),
        ('{"include_usage":false}', False),
        ('{"include_usage":true}', True),
        ("1", False),
    ],
)
def test_a_client_asks_for_usage_only_by_saying_true(options: str, asks: bool) -> None:
    assert asks_for_usage(facts_of(f'{{"stream":true,"stream_options":{options}}}'.encode())) is asks


def test_a_picture_in_front_of_the_member_is_skipped_quickly() -> None:
    body = b'{"stream":true,"picture":"%b","stream_options":{"a":1}}' % (b"a" * (15 << 20))
    started = time.process_time()

    span = member_span(body, KEY)

    assert span == (len(body) - len(b'"stream_options":{"a":1}}'), len(body) - 1)
    assert time.process_time() - started < 0.5
