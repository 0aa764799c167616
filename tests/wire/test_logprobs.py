"""Log probabilities become null where the choices have them; every other byte stays, however the bytes are cut."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightschool.wire.logprobs import LogprobsFilter, without_logprobs
from tests.wire.captures import NAMES, capture

TOKEN = {"token": ' "}]{', "logprob": -0.5, "bytes": [32, 34], "top_logprobs": [{"token": "\\", "bytes": None}]}
PLACE = "a place for log probabilities"


def filtered(answer: bytes, cuts: Sequence[int] = (), *, events: bool = True) -> bytes:
    logprobs = LogprobsFilter(events=events)
    ends = sorted({min(cut, len(answer)) for cut in cuts} | {len(answer)})
    passed = b"".join(logprobs.feed(answer[a:b]) for a, b in zip([0, *ends], ends, strict=False))
    return passed + logprobs.flush()


# What an upstream sends that was asked, and what it would have sent otherwise.
PAIRS = [
    (
        b'data: {"choices":[{"delta":{"content":"a"},"logprobs":{"content":[],"refusal":null}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"a"},"logprobs":null}]}\n\n',
    ),
    (
        b'data: {"choices" : [ {"logprobs" : { "x" : [ {"token":"}\\"]"} ] } , "x":1}, {"logprobs":[1]}]}\r\n\r\n',
        b'data: {"choices" : [ {"logprobs" : null , "x":1}, {"logprobs":null}]}\r\n\r\n',
    ),
    (
        b'data: {"choices":[{"logprobs":{"content":[{"token":"\xff\\\\","bytes":[1,2],"top_logprobs":[{}]}]}}]}\r\r',
        b'data: {"choices":[{"logprobs":null}]}\r\r',
    ),
    (
        b'data: {"choices":[{"logprobs":{\ndata: "content":[]}}],\ndata: "x":1}\n\r\n',
        b'data: {"choices":[{"logprobs":null}],\ndata: "x":1}\n\r\n',
    ),
]

UNTOUCHED = [
    b'data: {"choices":[{"delta":{"content":"a"},"logprobs":null}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\"logprobs\\":{","logprobs":{"content":[]}}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"b"},"logprobs":"none"},{"logprobs":1}]}\n\n',
    b'data: {"logprobs":{"content":[]},"choices":[]}\n\n',
    b'data: {"choices":{"a":{"logprobs":{}}},"x":["choices",[{"logprobs":{}}]]}\n\n',
    b'data: {"x":{"choices":[{"logprobs":{}}]},"choices":[[{"logprobs":{}}]]}\n\n',
    b'data: {"choices":[{"x":["logprobs",{}],"y":"logprobs"}],"z":[{"logprobs":{}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"caf\xc3\xa9 \xf0\x9f\xa6\x89"}}]}\n\n',
    b'data: "logprobs":{"content":[\n\n',
    b'data: {"choices":[{"cut\n\n',
    b"data: ]]}}]\n\n",
    b': ping "logprobs":{\n\n',
    b"\n\n",
    b"data: [DONE]\n\n",
]

EVENTS = [*PAIRS, *((event, event) for event in UNTOUCHED)]
CUTS = st.lists(st.integers(0, 900), max_size=12)


@pytest.mark.parametrize(("asked", "unasked"), EVENTS)
def test_they_are_null_in_every_choice_and_left_alone_elsewhere(asked: bytes, unasked: bytes) -> None:
    assert filtered(asked) == unasked
    assert filtered(asked, range(len(asked))) == unasked


@given(st.lists(st.sampled_from(EVENTS), max_size=8), CUTS)
@example(EVENTS, [])
def test_a_stream_in_any_pieces_comes_out_as_it_would_have_been(
    events: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    asked, unasked = (b"".join(side) for side in zip(*events, strict=True)) if events else (b"", b"")

    assert filtered(asked, cuts) == unasked


@pytest.mark.parametrize("name", NAMES)
def test_a_captured_stream_is_the_same_byte_by_byte_and_at_once(name: str) -> None:
    whole = filtered(capture(name))

    assert filtered(capture(name), range(len(capture(name)))) == whole
    assert (whole == capture(name)) is ("logprobs" not in name)
    assert b'"logprobs":{' not in whole


@given(st.lists(st.binary(max_size=40), max_size=10), st.booleans())
@example([b"data: 1\n", b"\ndata: 2\r", b"\n\r\n", b"data: 3", b'"\\'], True)
def test_bytes_without_them_pass_whatever_they_are(pieces: list[bytes], events: bool) -> None:
    logprobs = LogprobsFilter(events=events)

    assert b"".join(map(logprobs.feed, pieces)) + logprobs.flush() == b"".join(pieces)


TEXTS = st.text(max_size=12) | st.sampled_from(['"', "\\", "choices", "logprobs", '"logprobs":{', "{", "]", "\r\n\n"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
LOGPROBS = st.just({"content": [TOKEN, TOKEN], "refusal": None}) | st.dictionaries(TEXTS, VALUES, max_size=3)
BESIDE = st.dictionaries(TEXTS.filter(lambda key: key not in ("choices", "logprobs")), VALUES, max_size=3)
STYLES = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}, {"separators": (" ,\n\n", "\t: ")}])


@given(st.lists(st.tuples(BESIDE, LOGPROBS, BESIDE), max_size=3), BESIDE, BESIDE, STYLES, CUTS)
def test_a_body_in_any_style_and_pieces_is_what_it_would_have_been(
    choices: list[tuple[Any, Any, Any]], before: Any, behind: Any, style: Any, cuts: list[int]
) -> None:
    placed = [{**first, "logprobs": PLACE, **last} for first, _, last in choices]
    template = json.dumps({**before, "choices": placed, **behind}, **style)
    unasked = template.replace(json.dumps(PLACE), "null").encode()
    for _, found, _ in choices:
        template = template.replace(json.dumps(PLACE), json.dumps(found, **style), 1)

    assert filtered(template.encode(), cuts, events=False) == unasked
    assert without_logprobs(template.encode()) == unasked


def test_a_body_without_them_is_the_same_object() -> None:
    body = b'{"choices":[{"logprobs":null}]}'

    assert without_logprobs(body) is body


def test_a_stream_cut_in_the_middle_of_them_ends_there() -> None:
    assert filtered(b'data: {"choices":[{"logprobs":{"content":[{"token":"a') == b'data: {"choices":[{"logprobs":null'
    assert filtered(b'data: {"choices":[{"logpro') == b'data: {"choices":[{"logpro'


def test_an_event_that_breaks_off_in_them_does_not_spoil_the_next() -> None:
    broken = b'data: {"choices":[{"logprobs":{"content":["\n\n'

    assert filtered(broken + PAIRS[0][0]) == b'data: {"choices":[{"logprobs":null\n\n' + PAIRS[0][1]


def test_what_is_outside_of_them_passes_at_once() -> None:
    logprobs = LogprobsFilter(events=False)

    assert logprobs.feed(b'{"text":"' + b"x" * 100) == b'{"text":"' + b"x" * 100
    assert logprobs.feed(b'y","choices":[{"logprobs":{') == b'y","choices":[{"logprobs":null'
    assert logprobs.feed(b'"content":[') == b""
    assert logprobs.feed(b"]}}]}") == b"}]}"


def test_ten_mebibytes_of_them_in_pieces_take_no_time_to_speak_of() -> None:
    alternatives = [{"token": "abc", "logprob": -1.25, "bytes": [97, 98, 99]}] * 20
    token = json.dumps({"token": "abc", "logprob": -1.25, "bytes": [97, 98, 99], "top_logprobs": alternatives})
    body = b'{"choices":[{"logprobs":{"content":[' + b",".join([token.encode()] * 7000) + b"]}}]}"
    started = time.process_time()

    assert filtered(body, range(0, len(body), 65536), events=False) == b'{"choices":[{"logprobs":null}]}'
    assert len(body) > 8 << 20
    assert time.process_time() - started < 2
