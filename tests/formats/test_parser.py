"""Completions come back as the messages that they were written from, and nothing else passes for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given

from nightschool.errors import Unparsable
from nightschool.formats import FORMATS, Format, parse, render_completion
from tests.formats import arbitrary
from tests.formats.arbitrary import unhurried

EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
PROSE = {"role": "assistant", "content": "Write <tool_call>{}</tool_call>, <\u2060tool_call>, or <"}


@EVERY_FORMAT
@unhurried
@given(answer=arbitrary.answers())
@example(answer=(PROSE, PROSE))
def test_every_message_comes_back(format: Format, answer: tuple[dict[str, Any], dict[str, Any]]) -> None:
    message, expected = answer

    assert parse(render_completion(message, format)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>",
        '<tool_call>\n{"name": "f", "arguments": {}}',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call> and more',
        '<tool_call>{"name": "f", "arguments": {}}</tool_call><tool_call>{"name": "f"',
        '<tool_call>{"name": "f", "arguments": {"a": 1}</tool_call>',
        '<tool_call>{"name": "f", "arguments": "{}"}</tool_call>',
        '<tool_call>{"name": "f"}</tool_call>',
        '<tool_call>{"name": 1, "arguments": {}}</tool_call>',
        "<tool_call>[]</tool_call>",
        f"<tool_call>{'[' * 100_000}</tool_call>",
    ],
)
def test_a_broken_call_is_not_read(text: str) -> None:
    with pytest.raises(Unparsable):
        parse(text)


def test_blanks_around_calls_mean_nothing() -> None:
    call = {"type": "function", "function": {"name": "f", "arguments": {}}}

    assert parse(' <tool_call>{"name":"f","arguments":{}}</tool_call>\n\n') == {
        "role": "assistant",
        "content": " ",
        "tool_calls": [call],
    }
