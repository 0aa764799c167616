"""Every field of a request: what a student can answer as its teacher would, and what it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.students.capability import prompt_tokens
from tests.proxy.students.cast import TOOLS, body

SCHEMA: Any = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
CALL: Any = {"id": "c", "type": "function", "function": {"name": "find", "arguments": "{}"}}


def can(given: dict[str, Any]) -> bool:
    return prompt_tokens(json.dumps(given).encode()) is not None


def message(**fields: Any) -> dict[str, Any]:
    return body(messages=[{"role": "user", "content": "x"}, fields])


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0.2, "top_p": 1, "seed": 7, "stop": ["x"], "max_tokens": 5, "max_completion_tokens": 5},
        {"frequency_penalty": 0.1, "presence_penalty": 0.1, "stream": True, "stream_options": {"include_usage": True}},
        {"tools": TOOLS, "tool_choice": "auto", "parallel_tool_calls": False},
        {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "find"}}},
        {"tools": TOOLS, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": TOOLS}}},
        {"functions": [{"name": "find"}], "function_call": "auto"},
        {"response_format": {"type": "text"}},
        {"response_format": {"type": "json_object"}},
        {"response_format": SCHEMA},
        {"n": 1, "logprobs": False, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"]},
        {"store": True, "metadata": {"a": "b"}, "user": "u", "service_tier": "flex", "safety_identifier": "s"},
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "reasoning_effort": "low", "verbosity": "low"},
        {"n": None, "audio": None, "tools": None, "response_format": None, "prediction": None, "never_heard_of": None},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_what_means_the_same_to_a_student_or_changes_nothing_is_no_obstacle(fields: dict[str, Any]) -> None:
    assert can(body(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"audio": {"voice": "alloy", "format": "wav"}},
        {"modalities": ["text", "audio"]},
        {"prediction": {"type": "content", "content": "x"}},
        {"web_search_options": {}},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"logit_bias": {"50256": -100}},
        {"tools": [*TOOLS, {"type": "custom", "custom": {"name": "code"}}]},
        {"tools": [{"type": "web_search"}]},
        {"tools": "all of them"},
        {"tool_choice": {"type": "custom", "custom": {"name": "code"}}},
        {"response_format": {"type": "grammar"}},
        {"never_heard_of": 1},
        {"top_k": 5},
        {"messages": []},
        {"messages": None},
        {"messages": "hello"},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"messages": [{"role": ["user"], "content": "x"}]},
        {"messages": [{"content": "x"}]},
        {"tool_choice": {"type": ["function"]}},
        {"response_format": {"type": {"of": "text"}}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "input_audio"}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"messages": [{"role": "assistant", "audio": {"id": "a"}}]},
    ],
    ids=lambda fields: json.dumps(fields)[:40],
)
def test_what_only_the_teacher_can_do_or_nobody_knows_is_the_teachers(fields: dict[str, Any]) -> None:
    assert not can(body(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "Rome"},
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
        {"role": "developer", "content": "x"},
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
        {"role": "function", "name": "find", "content": "Rome"},
    ],
    ids=lambda fields: str(fields["role"]),
)
def test_every_kind_of_message_that_is_text_can_be_read(fields: dict[str, Any]) -> None:
    assert can(message(**fields))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"not json",
        b'{"messages": [',
        b'{"model": "m"}',
        b"[" * 5000,
        b'{"messages":[1]}',
        b'{"n":1}',
    ],
    ids=range(9),
)
def test_what_cannot_be_read_is_the_teachers(raw: bytes) -> None:
    assert prompt_tokens(raw) is None


def test_a_prompt_counts_a_token_for_three_bytes_of_all_that_the_student_reads() -> None:
    short = prompt_tokens(json.dumps(body()).encode())
    longer = prompt_tokens(json.dumps(body(tools=TOOLS, metadata={"not": "read"})).encode())

    assert short is not None
    assert longer is not None
    assert longer - short in (len(json.dumps(TOOLS)) // 3, len(json.dumps(TOOLS)) // 3 + 1)
