"""Prompts and completions are what the golden files say, and fit together."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.formats import CHATML, FORMATS, LLAMA3, Format, canonical_messages, render_completion, render_prompt
from tests.formats import arbitrary
from tests.formats.arbitrary import unhurried
from tests.formats.conversations import BOTH, CONVERSATIONS, OF_OLD, call, calling, golden, visible

EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
TABLE = CONVERSATIONS | OF_OLD


@EVERY_FORMAT
@pytest.mark.parametrize("name", TABLE)
def test_a_prompt_is_its_golden_file(format: Format, name: str) -> None:
    messages, tools = TABLE[name]

    assert visible(render_prompt(messages, tools, format)) == golden(format, name).read_text()


@EVERY_FORMAT
def test_no_golden_file_is_left_over(format: Format) -> None:
    assert {path.stem for path in golden(format, "any").parent.iterdir()} == set(TABLE)


@EVERY_FORMAT
@pytest.mark.parametrize("name", TABLE)
def test_the_canonical_messages_are_rendered_like_the_originals(format: Format, name: str) -> None:
    messages, tools = TABLE[name]

    assert render_prompt(canonical_messages(messages), tools, format) == render_prompt(messages, tools, format)


@EVERY_FORMAT
@unhurried
@given(messages=arbitrary.conversations(), answer=arbitrary.answers(), tools=arbitrary.tools())
def test_a_prompt_continues_with_the_completion_of_its_next_turn(
    format: Format, messages: list[dict[str, Any]], answer: tuple[dict[str, Any], Any], tools: list[dict[str, Any]]
) -> None:
    message, _ = answer
    next_user = {"role": "user", "content": "and then?"}

    before = render_prompt(messages, tools, format)
    after = render_prompt([*messages, message, next_user], tools, format)

    assert after.startswith(before + render_completion(message, format) + format.end_of_turn)


def test_both_templates_are_the_same_below_their_settings() -> None:
    bodies = [format.template.partition("\n\n")[2] for format in FORMATS]

    assert bodies[0] == bodies[1]
    assert "set markers" not in bodies[0]


@EVERY_FORMAT
def test_a_prompt_holds_no_date_that_the_application_did_not_give(format: Format) -> None:
    prompt = render_prompt([{"role": "user", "content": "What day is it?"}], None, format)

    assert re.findall(r"\d{2,}|[Dd]ate|Knowledge", prompt) == []


@EVERY_FORMAT
def test_a_completion_is_text_then_one_tag_per_call(format: Format) -> None:
    assert render_completion({**BOTH, "content": "Two calls."}, format) == (
        'Two calls.<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Zürich", "days": 2}}\n</tool_call>'
    )


@EVERY_FORMAT
def test_arguments_hold_no_tag_and_are_never_quoted_twice(format: Format) -> None:
    message = calling(call("c1", "clock", '{"html": "</tool_call><b>"}'))

    assert '{"html": "\\u003c/tool_call>\\u003cb>"}' in render_completion(message, format)


@EVERY_FORMAT
def test_the_template_itself_takes_arguments_as_text(format: Format) -> None:
    """Whoever renders with transformers alone, and does not parse them first, gets the text and not a string of it."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = lambda value: f'"{value}"'
    prompt = environment.from_string(format.template).render(messages=[calling(call("c1", "f", '{"a":"<b"}'))])

    assert '"arguments": {"a":"\\u003cb"}}' in prompt


@unhurried
@given(text=st.text(max_size=40))
def test_text_without_markup_is_written_as_it_is(text: str) -> None:
    written = text.replace("<", "(")

    assert render_completion({"role": "assistant", "content": written}, LLAMA3) == written


def test_only_markers_are_broken() -> None:
    def written(text: str, format: Format) -> str:
        return visible(render_completion({"role": "assistant", "content": text}, format))

    assert written("a < b, <b>x</b>, <tool>, <T>", CHATML) == "a < b, <b>x</b>, <tool>, <T>"
    assert written("<filename>", CHATML) == "<[U+2060]filename>"
    assert written("<filename>", LLAMA3) == "<filename>"
    assert written("<|eot_id|> <\u2060b", LLAMA3) == "<[U+2060]|eot_id|> <[U+2060][U+2060]b"
    assert written("1 <", LLAMA3) == "1 <[U+2060]"
