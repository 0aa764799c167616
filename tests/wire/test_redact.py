"""Secrets are taken out wherever a string can hold them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightschool.wire.reassemble import reassemble
from nightschool.wire.redact import Redactor
from tests.wire.captures import capture

KEY = re.compile(r"sk-[A-Za-z0-9]+")
RULES = [(KEY, "[key]"), (re.compile(r"\b\d{3}-\d{2}-\d{4}\b"), r"[\ssn]")]
REDACTOR = Redactor(RULES)


def redacted(value: Any) -> Any:
    return json.loads(REDACTOR.json(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"messages": [{"content": "my sk-abc1 key"}]}, {"messages": [{"content": "my [key] key"}]}),
        ("sk-abc1", "[key]"),
        ({"sk-abc1": {"sk-abc2": 1}}, {"[key]": {"[key]": 1}}),
        (["078-05-1120", 1, None, True, 1.5], [r"[\ssn]", 1, None, True, 1.5]),
        ({"a": "sk-abc1 078-05-1120"}, {"a": r"[key] [\ssn]"}),
    ],
)
def test_every_string_is_redacted_and_nothing_else(value: Any, expected: Any) -> None:
    assert redacted(value) == expected


def test_an_escape_hides_nothing() -> None:
    assert REDACTOR.json(rb'{"a":"\u0073k-\u0061bc1"}') == b'{"a":"[key]"}'


def test_json_in_a_string_is_redacted_inside_and_stays_json() -> None:
    arguments = json.dumps({"q": "sk-abc1", "deep": json.dumps({"ssn": "078-05-1120"}), "n": 1.5}, indent=1)
    document = redacted({"function": {"arguments": arguments}})

    inner = json.loads(document["function"]["arguments"])
    assert (inner["q"], json.loads(inner["deep"]), inner["n"]) == ("[key]", {"ssn": r"[\ssn]"}, 1.5)


def test_an_escape_in_json_in_a_string_hides_nothing() -> None:
    assert redacted({"arguments": '{"q":"\\u0073k-abc1"}'}) == {"arguments": '{"q":"[key]"}'}


def test_arguments_that_are_not_json_are_redacted_as_text() -> None:
    assert redacted({"arguments": '{"q": "sk-abc1'}) == {"arguments": '{"q": "[key]'}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{ "spaced" : [1.50, "\\u00e9"],\n "arguments": "{ \\"x\\": 1.50 }" }',
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 150 + b"1" + b"}" * 150,
    ],
)
def test_a_body_in_which_nothing_matches_is_the_same_object(body: bytes) -> None:
    assert REDACTOR.json(body) is body


def test_without_rules_nothing_is_looked_at() -> None:
    body = b'{"a":"sk-abc1"}'

    assert Redactor([]).json(body) is body
    assert not Redactor([])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "sk-abc1"', b'{"a": "[key]"'),
        (b"key=sk-abc1&x=\xff", b"key=[key]&x=\xff"),
        (b"data: sk-abc1\n\n", b"data: [key]\n\n"),
    ],
)
def test_a_body_that_is_not_json_is_redacted_as_text_and_keeps_its_other_bytes(body: bytes, expected: bytes) -> None:
    assert REDACTOR.json(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "sk-abc1", "a": "x"}', b'{"a":"x"}'),
        (rb'{"a": "\u0073k-abc1", "a": "x"}', b'{"a":"x"}'),
        (rb'{"arguments": "{\"a\": \"sk-abc1\", \"a\": 1}"}', rb'{"arguments":"{\"a\":1}"}'),
    ],
)
def test_a_secret_behind_a_repeated_key_is_dropped(body: bytes, expected: bytes) -> None:
    assert REDACTOR.json(body) == expected


def test_a_request_for_log_probabilities_stays_one() -> None:
    assert redacted({"user": "sk-abc1", "logprobs": True}) == {"user": "[key]", "logprobs": True}


def test_a_secret_below_every_reasonable_depth_is_found() -> None:
    assert b"sk-abc1" not in REDACTOR.json(b'{"a":' * 150 + b'"sk-abc1"' + b"}" * 150)


def test_half_a_surrogate_pair_beside_a_secret_does_not_matter() -> None:
    assert REDACTOR.json(rb'["\ud83d sk-abc1"]') == '["\ufffd [key]"]'.encode()


def test_a_secret_cannot_be_put_together_from_its_tokens() -> None:
    def chunk(token: str) -> bytes:
        logprobs = {"content": [{"token": token, "logprob": -1, "bytes": list(token.encode()), "top_logprobs": []}]}
        piece = {"index": 0, "delta": {"content": token}, "logprobs": logprobs, "finish_reason": None, "token_ids": [1]}
        return b"data: " + json.dumps({"id": "c", "choices": [piece]}).encode() + b"\n\n"

    whole = reassemble("/chat/completions", b"".join(map(chunk, ("my ", "sk", "-ab", "c1"))))
    (choice,) = json.loads(REDACTOR.json(whole.body()))["choices"]

    assert choice["message"]["content"] == "my [key]"
    assert (choice["logprobs"], choice["token_ids"]) == (None, None)


def test_log_probabilities_stay_where_there_was_no_secret() -> None:
    body = reassemble("/chat/completions", capture("openai_logprobs")).body()

    assert REDACTOR.json(body) is body


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.sampled_from(["sk-abc1", "a sk-abc1 b", '{"x":"sk-abc1"}', '["sk-', "plain", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "sk-abc1", "logprobs"]), inner),
    max_leaves=10,
)


@settings(deadline=None)
@given(JSON)
def test_after_redaction_nothing_matches_and_the_body_is_still_json(value: Any) -> None:
    once = REDACTOR.json(json.dumps(value).encode())

    assert KEY.search(once.decode()) is None
    assert json.loads(once) is not None or value is None
    assert REDACTOR.json(once) is once


@settings(deadline=None)
@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(REDACTOR.json(body), bytes)
