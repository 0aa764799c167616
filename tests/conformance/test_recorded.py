"""A record that is not what happened is found out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from demo.upstream import chat
from demo.upstream.behaviour import Behaviour
from demo.upstream.seen import Seen
from tests.conformance.recorded import Told, difference
from tests.running import Row

REQUEST = {"model": "a", "messages": [{"role": "user", "content": "one two"}], "tools": [{"function": {"name": "f"}}]}


def told(request: dict[str, Any]) -> Told:
    seen = Seen(1, "POST", "/v1/chat/completions", [], json.dumps(request).encode())
    return Told(seen, seen)


def row(**columns: Any) -> Row:
    """As it should be for ``REQUEST``, but for ``columns``."""
    right = {
        "method": "POST",
        "endpoint": "/chat/completions",
        "target": "teacher",
        "workload": None,
        "request": json.dumps(REQUEST),
        "model_requested": "a",
        "status": 200,
        "complete": True,
        "stream": False,
        "error_type": None,
        "logprobs": None,
        "model_served": "a-2026-05-01",
        "system_fingerprint": "fp_scripted",
        "finish_reason": "tool_calls",
        "prompt_tokens": 2,
        "completion_tokens": 4,
        "response": json.dumps(chat.completion(REQUEST, Behaviour())),
    }
    return {**right, **columns}


def test_the_right_record_has_no_difference() -> None:
    assert difference([told(REQUEST)], [row()]) == ""


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("request", json.dumps({**REQUEST, "stream_options": {"include_usage": True}})),
        ("model_served", "a"),
        ("finish_reason", "stop"),
        ("stream", True),
        ("completion_tokens", None),
        ("complete", False),
        ("response", json.dumps(chat.completion(REQUEST, Behaviour(arguments=("{}",))))),
    ],
)
def test_a_column_that_says_something_else_is_named(column: str, value: Any) -> None:
    assert f": {column}" in difference([told(REQUEST)], [row(**{column: value})])


def test_calls_of_a_stream_are_compared_as_they_were_put_together() -> None:
    streamed = {**REQUEST, "stream": True}
    columns = {"request": json.dumps(streamed), "stream": True}
    assert difference([told(streamed)], [row(**columns)]) == ""
    cut = json.dumps(chat.completion(REQUEST, Behaviour(arguments=('{"city": ',))))
    assert ": said" in difference([told(streamed)], [row(**columns, response=cut)])


def test_an_exchange_that_was_not_recorded_is_missed() -> None:
    assert difference([told(REQUEST), told(REQUEST)], [row()]) == "2 requests, 1 records"
