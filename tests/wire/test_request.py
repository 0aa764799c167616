"""The fields of a request body that are looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.wire.fingerprint import conversation, fingerprint
from nightschool.wire.request import RequestBody, read_request


def read(body: dict[str, Any]) -> RequestBody:
    request = read_request(json.dumps(body).encode())
    assert request is not None
    return request


def test_model_stream_and_the_text_entries_of_metadata_are_read() -> None:
    request = read({"model": "m", "stream": True, "metadata": {"customer": "7", "n": 1, "deep": {}}, "unknown": [1]})

    assert (request.model_name, request.stream, request.tags) == ("m", True, {"customer": "7"})


@pytest.mark.parametrize(
    "body", [{"model": 1, "metadata": "x", "messages": "y", "tools": 3}, {"messages": [1, None, {}]}]
)
def test_fields_of_the_wrong_type_read_as_absent(body: dict[str, Any]) -> None:
    request = read(body)

    assert (request.model_name, request.tags, request.turns) == (None, {}, ())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b'"text"', b'{"a":1}}', b"[" * 100_000, b"\xff"])
def test_what_is_no_object_has_no_fields(body: bytes) -> None:
    assert read_request(body) is None


def test_a_body_that_only_a_lenient_parser_reads_is_read() -> None:
    request = read_request(b'{"model":"caf\xe9","temperature":NaN,"messages":[{"role":"user","content":"\\ud83d"}]}')

    assert request is not None
    assert request.model_name == "caf\ufffd"
    assert [turn.role for turn in request.turns] == ["user"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "text", "text": "u"}]},
                ]
            },
            [("system", "s"), ("user", [{"type": "text", "text": "u"}])],
        ),
        ({"instructions": "s", "input": "u"}, [("system", "s"), ("user", "u")]),
        (
            {
                "input": [
                    {"type": "message", "role": "developer", "content": "d"},
                    {"type": "function_call", "name": "f"},
                ]
            },
            [("developer", "d")],
        ),
        ({"prompt": "p"}, []),
        ({}, []),
    ],
)
def test_the_turns_of_chat_and_responses_requests_are_the_same_thing(
    body: dict[str, Any], expected: list[tuple[str, Any]]
) -> None:
    assert [(turn.role, turn.content) for turn in read(body).turns] == expected


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    request = read_request(body)
    if request is not None:
        assert all(isinstance(turn.role, str) for turn in request.turns)


FIELD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "system", "user", "\ud83d", "text 1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "text", "name", "type", "function", "description"]), inner
        )
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(RequestBody.__struct_fields__), FIELD))
def test_no_fields_make_it_raise(body: dict[str, Any]) -> None:
    request = read(body)

    assert isinstance(request.tags, dict)
    assert fingerprint(request) is None or len(str(fingerprint(request))) == 32
    assert conversation(request) is None or len(str(conversation(request))) == 32
