"""A streamed answer -> one document: what holds for every capture, and for bytes that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightschool.wire.reassemble import Reassembler, reassemble
from tests.wire.captures import NAMES, capture, endpoint, fed_in_pieces, message, reassembled

UNFINISHED = {
    "cut_inside_utf8",
    "error_event_line",
    "error_first",
    "error_midstream",
    "never_finished",
    "openrouter_error_midstream",
    "responses_cut",
    "responses_error",
    "responses_failed",
    "responses_refusal_cut",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_fed_byte_by_byte_says_the_same(name: str) -> None:
    assert fed_in_pieces(name, list(range(1, len(capture(name))))) == reassembled(name)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_capture_says_the_same_however_it_is_cut(name: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(capture(name))), max_size=20).map(sorted))

    assert fed_in_pieces(name, cuts) == reassembled(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_capture_is_finished_if_the_upstream_said_so_and_no_error_came(name: str) -> None:
    assert reassembled(name).finished is (name not in UNFINISHED)


@pytest.mark.parametrize("name", NAMES)
def test_the_body_is_valid_json_that_holds_the_message(name: str) -> None:
    whole = reassembled(name)
    body = whole.body()

    if whole.message is None:
        assert body == capture(name)
    else:
        document = json.loads(body)
        for choice in document.get("choices", []):
            choice.pop("logprobs", None)
        assert document == whole.message


@pytest.mark.parametrize("name", NAMES)
def test_padding_and_chunk_names_leave_no_trace(name: str) -> None:
    body = reassembled(name).body()

    assert b"obfuscation" not in body
    assert b"chat.completion.chunk" not in body


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["/chat/completions", "/completions", "/responses", "/other"]))
def test_no_bytes_make_it_raise(body: bytes, path: str) -> None:
    whole = reassemble(path, body)

    assert json.dumps(whole.message) is not None
    assert whole.text == ("" if whole.message is not None else body.decode("utf-8", "replace"))


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    *("id", "object", "created", "model", "choices", "usage", "error", "index", "delta", "message", "tool_calls"),
    *("function", "custom", "name", "arguments", "input", "content", "role", "finish_reason", "logprobs", "text"),
    *("type", "response", "item", "output", "output_index", "content_index", "summary_index", "extra"),
]
KINDS = ["response.completed", "response.output_item.added", "response.output_text.delta", "error", "response.x.delta"]
ODD = st.recursive(
    JSON | st.sampled_from(["x", 0, 1, -1, "", "{}", *KINDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.lists(ODD, max_size=6), st.sampled_from(["/chat/completions", "/completions", "/responses"]))
def test_no_json_makes_it_raise(events: list[Any], path: str) -> None:
    body = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)

    assert isinstance(reassemble(path, body).body(), bytes)


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/responses"])
def test_json_nested_too_deeply_is_a_bad_event(path: str) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    whole = reassemble(path, b'data: {"choices":%b,"type":"response.created"}\n\n' % deep)

    assert (whole.bad_events, whole.error_type) == (1, "malformed_stream")


def test_what_can_be_read_between_garbage_is_read_and_the_rest_is_counted() -> None:
    whole = reassembled("garbage_between")

    assert message("garbage_between")["choices"][0]["message"]["content"] == "before after"
    assert (whole.bad_events, whole.error_type, whole.finished) == (4, "malformed_stream", True)


def test_an_event_cut_inside_a_character_is_left_out_and_is_not_a_bad_event() -> None:
    whole = reassembled("cut_inside_utf8")

    assert message("cut_inside_utf8")["choices"][0]["message"]["content"] == "caf"
    assert (whole.bad_events, whole.invalid_utf8, whole.error_type) == (0, False, None)


def test_invalid_utf8_is_replaced_and_told() -> None:
    whole = reassembled("invalid_utf8")

    assert message("invalid_utf8")["choices"][0]["message"]["content"] == "caf\ufffd ok"
    assert (whole.invalid_utf8, whole.error_type) == (True, "invalid_utf8")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("crlf", "line one\nline two\r\n"),
        ("cr_only", "line one\nline two\r\n"),
        ("mixed_line_ends", "line one\nline two\r\n"),
        ("multi_line_data", "many lines"),
        ("no_space_after_colon", " spaced"),
        ("pings", "ok"),
        ("missing_done", "Done"),
        ("surrogates_split", "Hi 😀 \ufffd!"),
    ],
)
def test_framing_does_not_change_what_is_said(name: str, content: str) -> None:
    assert message(name)["choices"][0]["message"]["content"] == content
    assert reassembled(name).error_type is None


@pytest.mark.parametrize(
    ("name", "error_type"),
    [
        ("error_midstream", "server_error"),
        ("error_first", "rate_limit_exceeded"),
        ("error_event_line", "overloaded_error"),
        ("openrouter_error_midstream", "stream_error"),
        ("responses_error", "rate_limit_exceeded"),
        ("responses_failed", "server_error"),
    ],
)
def test_an_error_event_names_the_error_and_keeps_what_came_before(name: str, error_type: str) -> None:
    assert reassembled(name).error_type == error_type
    assert message(name)["error"] == reassembled(name).error


def test_text_before_an_error_is_kept() -> None:
    assert message("error_midstream")["choices"][0]["message"]["content"] == "Half an"
    assert message("openrouter_error_midstream")["choices"][0]["message"]["content"] == "The answer"


@pytest.mark.parametrize("path", ["/chat/completions", "/messages"])
def test_a_stream_of_another_api_is_kept_as_text(path: str) -> None:
    whole = reassemble(path, capture("anthropic_messages"))

    assert whole.message is None
    assert whole.text.encode() == capture("anthropic_messages")
    assert (whole.finished, whole.error_type) == (True, None)


@pytest.mark.parametrize("body", [b"", b": ping\n\n: ping\n\n"])
def test_a_stream_that_says_nothing_is_not_finished(body: bytes) -> None:
    assert reassemble("/chat/completions", body).finished is False


def test_one_choice_of_two_is_not_a_finished_answer() -> None:
    chunk = b'data: {"choices":[{"index":%d,"delta":{"content":"x"},"finish_reason":%b}]}\n\n'
    body = chunk % (0, b'"stop"') + chunk % (1, b"null")

    assert reassemble("/chat/completions", body).finished is False
    assert reassemble("/chat/completions", body + b"data: [DONE]\n\n").finished is True
    assert reassemble("/chat/completions", body + chunk % (1, b'"stop"')).finished is True


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/chat/completions/", "/beta/chat/completions", "/chat/completions?x=1"]
)
def test_a_chat_stream_is_known_by_the_end_of_its_path(path: str) -> None:
    assert reassemble(path, capture("openai_text")).message == message("openai_text")


def test_a_stored_response_streams_like_a_new_one() -> None:
    assert reassemble("/responses/resp_68f1", capture("responses_completed")).message == message("responses_completed")


def test_bytes_are_let_go_as_soon_as_the_stream_is_known() -> None:
    reassembler = Reassembler(endpoint("openai_text"))
    reassembler.feed(capture("openai_text"))

    assert reassembler._unread == []


def test_text_in_very_many_pieces_is_joined() -> None:
    chunk = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"word ","x":"word "}}]}\n\n'
    whole = reassemble("/chat/completions", chunk * 20_000)

    assert whole.message is not None
    assert whole.message["choices"][0]["message"]["x"] == "word " * 20_000
