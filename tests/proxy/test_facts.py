"""What a rule can see of a request; whatever cannot be read is absent, and nothing ever raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.facts import RequestFacts


def facts_of(body: bytes | dict[str, Any], *, tags: dict[str, str] | None = None, **given: Any) -> RequestFacts:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RequestFacts("/chat/completions", {}, raw, header_tags=tags or {}, deployment=given.get("deployment"))


def everything(facts: RequestFacts) -> tuple[Any, ...]:
    return (
        facts.model,
        facts.streams,
        facts.stream_options,
        facts.tools,
        facts.system_prompt,
        facts.schema,
        dict(facts.tags),
    )


NOTHING: tuple[Any, ...] = (None, False, None, (), "", None, {})


def test_all_that_rules_ask_for_is_read() -> None:
    facts = facts_of(
        {
            "model": "gpt-5",
            "stream": True,
            "stream_options": {"include_usage": False},
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "hello"},
                {"role": "developer", "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]},
            ],
            "tools": [
                {"type": "function", "function": {"name": "find"}},
                {"type": "custom", "custom": {"name": "draw"}},
                {"type": "function", "name": "flat"},
            ],
            "functions": [{"name": "old"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "invoice"}},
            "metadata": {"team": "pay", "env": "body", "count": 5},
        },
        tags={"env": "header"},
    )

    assert everything(facts) == (
        "gpt-5",
        True,
        {"include_usage": False},
        ("find", "draw", "flat", "old"),
        "Be brief.\nBe kind.",
        "invoice",
        {"team": "pay", "env": "header"},
    )


def test_an_azure_deployment_stands_for_the_model() -> None:
    assert facts_of({"model": "gpt-5"}, deployment="mine").model == "mine"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b"{} trailing",
        b"[" * 100_000,
        b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda body: body[:12],
)
def test_a_body_that_is_no_request_says_nothing(body: bytes) -> None:
    facts = facts_of(body)

    assert everything(facts) == NOTHING
    assert facts.body is body


@pytest.mark.parametrize(
    ("member", "odd"),
    [
        ("model", [17, None, ["m"], {"m": 1}]),
        ("stream", ["true", 1, None, []]),
        ("stream_options", [[], "x", 1, None]),
        (
            "messages",
            ["hello", {}, None, [1], [None], [{"role": 1}], [{"role": "system"}], [{"role": "system", "content": 7}]],
        ),
        ("tools", ["x", {}, None, [1], [{}], [{"function": 1}], [{"function": {"name": 5}}], [{"type": "web_search"}]]),
        ("functions", [{}, [None], [{"name": None}]]),
        ("metadata", ["x", [1], None, {"a": 1}, {"a": {"b": "c"}}]),
        (
            "response_format",
            ["json", [], None, {"type": "json_object"}, {"json_schema": 1}, {"json_schema": {"name": 3}}],
        ),
    ],
)
def test_a_member_of_an_odd_shape_counts_as_absent(member: str, odd: list[Any]) -> None:
    for value in odd:
        assert everything(facts_of({member: value})) == NOTHING, value


@pytest.mark.parametrize("body", [b'{"model": "m", "user": "\xff"}', b'{"model": "m", "user": "\\ud800"}'])
def test_text_that_is_no_unicode_does_not_hide_the_rest(body: bytes) -> None:
    assert facts_of(body).model == "m"


def test_a_member_nested_beyond_reason_counts_as_absent_and_costs_no_other() -> None:
    deep = b"[" * 500 + b"]" * 500
    facts = facts_of(b'{"model": "m", "metadata": {"a": %b}, "tools": %b, "messages": [%b]}' % (deep, deep, deep))

    assert facts.model == "m"
    assert (facts.tools, facts.system_prompt, dict(facts.tags)) == ((), "", {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "name", "function", "json_schema", "text", "x"]), inner)
    ),
    max_leaves=10,
)
MEMBERS = st.sampled_from(
    ["model", "stream", "stream_options", "messages", "tools", "functions", "metadata", "response_format"]
)


@given(st.one_of(st.binary(), st.dictionaries(MEMBERS, JSON).map(lambda body: json.dumps(body).encode())))
@example(b'{"messages": [{"role": "system", "content": [{"text": 1}, 5, {"text": "a"}]}]}')
@example(b'{"tools": [{"name": "a", "function": null}]}')
def test_no_body_makes_anything_raise(body: bytes) -> None:
    model, streams, options, tools, prompt, schema, tags = everything(facts_of(body))

    assert isinstance(model, str | None)
    assert isinstance(streams, bool)
    assert isinstance(options, dict | None)
    assert all(isinstance(name, str) for name in tools)
    assert isinstance(prompt, str)
    assert isinstance(schema, str | None)
    assert all(isinstance(value, str) for value in tags.values())
