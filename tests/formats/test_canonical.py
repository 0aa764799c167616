"""Every shape in which messages come has one plain form, or a reason why it has none."""

from __future__ import annotations

from typing import Any

import pytest

from nightschool.errors import Unrenderable
from nightschool.formats import CHATML, canonical_message, canonical_messages, canonical_tools, render_completion
from tests.formats.conversations import WEATHER, call, calling


def test_a_function_call_of_old_is_a_tool_call_and_its_result_belongs_to_it() -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "clock", "arguments": '{"zone": "UTC"}'}}
    result = {"role": "function", "name": "clock", "content": "12:30"}

    answer, returned = canonical_messages([old, result])

    assert answer["tool_calls"] == [call(returned["tool_call_id"], "clock", {"zone": "UTC"})]
    assert returned == {"role": "tool", "content": "12:30", "tool_call_id": "function_call"}


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": None, "refusal": "No."}, "No."),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "No."),
        ({"content": "Well.", "refusal": "No."}, "Well.\nNo."),
        ({"content": ""}, ""),
        ({"content": []}, ""),
        ({"content": ["a", {"type": "text", "text": ""}, {"type": "text", "text": "b"}]}, "a\nb"),
        ({"content": "x", "tool_calls": [], "reasoning_content": "hm", "annotations": []}, "x"),
        ({"content": "half \ud83d, whole \ud83d\ude42"}, "half �, whole 🙂"),
    ],
)
def test_what_an_answer_says_is_one_text(message: dict[str, Any], content: str) -> None:
    assert canonical_message({"role": "assistant"} | message) == {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ('{"a": 1.50, "a": 2}', {"a": 2}),
        ({"a": {"b": [1, None]}}, {"a": {"b": [1, None]}}),
        ('{"a": "\\ud83d"}', {"a": "�"}),
        ("", {}),
        (None, {}),
    ],
)
def test_arguments_are_objects(given: Any, arguments: dict[str, Any]) -> None:
    message = canonical_message(calling(call("c1", "f", given)))

    assert message["tool_calls"][0]["function"]["arguments"] == arguments


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "critic", "content": "x"}, "unknown_role"),
        ({"content": "x"}, "unknown_role"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "…"}}]}, "content_part"),
        ({"role": "user", "content": [{"type": "text"}]}, "content_part"),
        ({"role": "user", "content": [None]}, "content_part"),
        ({"role": "user", "content": 5}, "content_part"),
        ({"role": "assistant", "content": None, "audio": {"id": "a"}}, "content_part"),
        ({"role": "assistant", "content": None}, "no_answer"),
        ({"role": "assistant"}, "no_answer"),
        (calling({"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}), "custom_tool_call"),
        (calling(call("c", "f", '{"a": ')), "invalid_arguments"),
        (calling(call("c", "f", "[1]")), "invalid_arguments"),
        (calling(call("c", "f", 7)), "invalid_arguments"),
        (calling(call("c", "f", '{"a": NaN}')), "invalid_arguments"),
        (calling(call("c", "f", '{"a": 1e999}')), "invalid_arguments"),
        (calling(call("c", "f", {"a": float("nan")})), "invalid_arguments"),
        (calling(call("c", "f", '{"a": ' * 100_000)), "invalid_arguments"),
        (calling(call("c", "", "{}")), "function_name"),
        (calling(call("c", 'f", "arguments": {}', "{}")), "function_name"),
        (calling(call("c", "</tool_call>", "{}")), "function_name"),
        (calling({"id": "c", "type": "function"}), "function_name"),
    ],
)
def test_what_cannot_be_written_has_a_reason(message: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unrenderable) as raised:
        render_completion(message, CHATML) if message.get("role") == "assistant" else canonical_messages([message])

    assert raised.value.reason == reason


def test_a_conversation_of_nothing_has_a_reason() -> None:
    with pytest.raises(Unrenderable) as raised:
        canonical_messages([])

    assert raised.value.reason == "no_messages"


def test_tools_keep_what_servers_agree_on() -> None:
    function = {key: value for key, value in WEATHER["function"].items() if key != "strict"}

    assert canonical_tools([WEATHER]) == canonical_tools([WEATHER["function"]])
    assert canonical_tools([WEATHER]) == [{"type": "function", "function": function}]
    assert canonical_tools([]) is canonical_tools(None) is None


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        ({"type": "custom", "custom": {"name": "sql"}}, "custom_tool"),
        ({"type": "function"}, "malformed_tool"),
        ({"type": "function", "function": {"name": "f", "parameters": {"minimum": float("nan")}}}, "malformed_tool"),
    ],
)
def test_a_tool_that_cannot_be_written_has_a_reason(tool: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unrenderable) as raised:
        canonical_tools([tool])

    assert raised.value.reason == reason
