"""Exchanges as people read them, whatever shape they have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.wire.turns import Turn, last_question, turns

USER = {"role": "user", "content": "why?"}
CALL = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"q": 1.0}'}}


def read(request: Any, response: Any = None) -> list[Turn]:
    encode = json.dumps
    return turns({"request": encode(request), "response": None if response is None else encode(response)})


def test_messages_and_answer_follow_one_another() -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": "because"}}]}

    assert read({"messages": [{"role": "system", "content": "be kind"}, USER]}, answer) == [
        Turn("system", "be kind"),
        Turn("user", "why?"),
        Turn("assistant", "because"),
    ]


def test_tool_calls_are_shown_with_their_arguments_as_they_were() -> None:
    request = {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}]}
    result = {"role": "tool", "name": "find", "tool_call_id": "c", "content": "42"}

    assert read({"messages": [*request["messages"], result]})[1:] == [
        Turn("assistant calls", 'find({"q": 1.0})', is_call=True),
        Turn("tool find", "42"),
    ]


def test_parts_that_are_not_text_are_named() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}]

    assert read({"messages": [{"role": "user", "content": parts}]}) == [Turn("user", "look\n[image_url]")]


def test_every_choice_is_shown() -> None:
    answer = {"choices": [{"message": {"content": "a"}}, {"message": {"refusal": "no"}}]}

    assert read({"messages": [USER]}, answer)[1:] == [Turn("assistant", "a"), Turn("assistant", "no")]


def test_the_responses_api_is_read_too() -> None:
    request = {"instructions": "be kind", "input": [{"role": "user", "content": "why?"}]}
    output = [
        {"type": "function_call", "name": "find", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "because"}]},
    ]

    assert read(request, {"object": "response", "output": output}) == [
        Turn("system", "be kind"),
        Turn("user", "why?"),
        Turn("assistant calls", "find({})", is_call=True),
        Turn("assistant", "because"),
    ]


def test_a_plain_prompt_is_a_question() -> None:
    assert read({"prompt": "once"}, {"choices": [{"text": " upon"}]}) == [
        Turn("user", "once"),
        Turn("assistant", " upon"),
    ]


def test_an_error_is_shown_as_it_came() -> None:
    (_, turn) = read({"messages": [USER]}, {"error": {"message": "slow down"}})

    assert (turn.role, json.loads(turn.text)) == ("response", {"error": {"message": "slow down"}})


def test_what_was_not_recorded_is_not_invented() -> None:
    assert turns({"request": None, "response": None}) == []
    assert turns({"request": "no { json", "response": None}) == [Turn("request", "no { json")]


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        (json.dumps({"messages": [USER, {"role": "assistant", "content": "a"}, {**USER, "content": "x\n y"}]}), "x y"),
        (json.dumps({"input": "embed me"}), "embed me"),
        (json.dumps({"messages": []}), ""),
        (None, ""),
        ("nonsense", ""),
    ],
)
def test_the_last_question_is_one_line(request_text: str | None, expected: str) -> None:
    assert last_question(request_text) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "messages",
                    "role",
                    "content",
                    "choices",
                    "message",
                    "tool_calls",
                    "function",
                    "input",
                    "output",
                    "prompt",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, JSON)
def test_no_shape_is_too_strange(request: Any, response: Any) -> None:
    for turn in read(request, response):
        assert isinstance(turn.text, str)
    assert "\n" not in last_question(json.dumps(request))
