"""A client's request -> a replica's: as evaluation asks it, and with nothing in it that is not known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from distill.evaluate.cases import Case
from distill.evaluate.generate import Room, System, body_of
from distill.score.scorer import Question
from nightschool.errors import Unrenderable
from proxy.student_question import student_question

Json = dict[str, Any]
ADAPTER = "w--0123456789ab"
TOOLS = [
    {
        "type": "function",
        "strict": True,
        "function": {
            "strict": True,
            "name": "find",
            "description": "Find.",
            "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
    }
]
LEGACY: list[Json] = [
    {"role": "developer", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}]},
    {"role": "user", "content": "Grüezi", "name": "urs"},
    {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": '{"a": "ü"}'}},
    {"role": "function", "name": "find", "content": "found"},
    {"role": "assistant", "content": None, "refusal": "No."},
    {"role": "user", "content": "Why?"},
]


def sent(*, greedy: bool = True, **request: Any) -> Json:
    question = student_question(json.dumps(request).encode(), greedy=greedy)
    body: Json = json.loads(question.body(ADAPTER, (2,)))
    return body


def test_it_is_the_question_that_evaluation_asks() -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    question = Question(LEGACY, TOOLS, format_)
    case = Case("e", "g", question, None, {}, labelled=False, teacher=None, newest=False, novelty=None)
    measured = body_of(System(name="student", model=ADAPTER), case, Room(max_tokens=100, stop_token_ids=(2,)))

    asked = sent(
        model="gpt-4o",
        messages=LEGACY,
        tools=TOOLS,
        response_format=format_,
        temperature=0.9,
        top_p=0.5,
        max_tokens=100,
    )

    assert asked == {**measured, "stream": True, "stream_options": {"include_usage": True}}
    assert list(asked)[:2] == ["model", "messages"]


def test_how_tokens_are_chosen_passes_only_where_the_configuration_says_so() -> None:
    chosen: Json = {"temperature": 0.7, "top_p": 0.5, "seed": 7, "frequency_penalty": 1, "presence_penalty": 0.5}
    request: Json = {"messages": LEGACY, "max_tokens": 9, **chosen}

    assert {name: sent(**request).get(name) for name in chosen} == dict.fromkeys(chosen) | {"temperature": 0}
    assert {name: sent(greedy=False, **request)[name] for name in chosen} == chosen
    assert "temperature" not in sent(greedy=False, messages=LEGACY)


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (None, "auto"),
        ("auto", "auto"),
        ("none", "none"),
        ("required", "auto"),
        ({"type": "function", "function": {"name": "find"}}, "auto"),
    ],
)
def test_a_call_is_never_forced(choice: Any, told: str) -> None:
    assert sent(messages=LEGACY, tools=TOOLS, tool_choice=choice)["tool_choice"] == told


def test_functions_of_the_old_form_are_tools() -> None:
    asked = sent(messages=LEGACY, functions=[TOOLS[0]["function"]], function_call="none")

    assert [tool["function"]["name"] for tool in asked["tools"]] == ["find"]
    assert asked["tool_choice"] == "none"
    assert "functions" not in asked


def test_what_is_not_known_does_not_reach_a_replica() -> None:
    asked = sent(
        model="/etc/passwd",
        messages=LEGACY,
        chat_template="{{ evil }}",
        guided_json={},
        add_generation_prompt=False,
        lora_request={"path": "/tmp"},
        priority=-100,
        user="u",
        stream=False,
        stream_options={"include_usage": False},
        n=None,
        temperature=None,
        stop_token_ids=[1],
    )

    assert set(asked) == {"model", "messages", "temperature", "stream", "stream_options", "stop_token_ids"}
    assert asked["temperature"] == 0
    assert asked["model"] == ADAPTER
    assert asked["stop_token_ids"] == [2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messages": []}',
        b'{"messages": "hi"}',
        b'{"messages": ["hi"]}',
        b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
        b'{"messages": [{"role": "user", "content": "hi"}], "tools": {"a": 1}}',
        b'{"messages": [{"role": "user", "content": "hi"}], "tools": [1]}',
        b'{"messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "custom", "custom": {"name": "x"}}]}',
        b'{"messages": [{"role": "user", "content": "hi"}], "functions": [{}]}',
        b'{"messages": [{"role": "user", "content": "hi"}], "functions": 5}',
        b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x", "tool_calls": 5}]}',
    ],
)
def test_what_no_student_can_be_asked_is_refused(body: bytes) -> None:
    with pytest.raises(Unrenderable):
        student_question(body, greedy=True)
