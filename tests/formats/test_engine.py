"""vLLM renders our templates as we do, and its parser reads our completions: its own code, without a server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from demo.engine import ENVIRONMENT, MODEL_FOLDER, PYTHON, why_missing
from nightschool.errors import Unparsable
from nightschool.formats import (
    CHATML,
    FORMATS,
    Format,
    canonical_tools,
    parse,
    render_completion,
    render_prompt,
    served_messages,
    unguarded,
)
from tests.formats import arbitrary
from tests.formats.arbitrary import unhurried
from tests.formats.conversations import CONVERSATIONS, OF_OLD

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(why_missing() is not None, reason=why_missing() or ""),
]
EVERY_FORMAT = pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
Engine = Callable[[dict[str, Any]], Any]
DRIVER = Path(__file__).parent / "engine_driver.py"
PROSE = {"role": "assistant", "content": "Write <tool_call>{}</tool_call>, <\u2060tool_call>, or <"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Asks the driver one thing at a time; it takes half a minute to import vLLM."""
    process = subprocess.Popen(
        [PYTHON, DRIVER, MODEL_FOLDER, CHATML.tool_parser],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | ENVIRONMENT,
        text=True,
    )
    assert process.stdin
    assert process.stdout

    def ask(question: dict[str, Any]) -> Any:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    with process:
        assert process.stdout.readline() == "ready\n"
        yield ask
        process.stdin.close()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))


def message_of(parsed: dict[str, Any]) -> dict[str, Any]:
    """What the engine's parser gives, as a message with arguments as objects."""
    content = None if parsed["content"] is None else unguarded(parsed["content"])
    calls = [
        {"type": "function", "function": {"name": name, "arguments": json.loads(arguments)}}
        for name, arguments in parsed["calls"]
    ]
    if calls:
        return {"role": "assistant", "content": content, "tool_calls": calls}
    return {"role": "assistant", "content": content or ""}


def as_sent(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of an application, where arguments are always JSON text."""
    sent: list[dict[str, Any]] = json.loads(json.dumps(messages))
    for function in (call["function"] for message in sent for call in message.get("tool_calls", [])):
        if isinstance(function["arguments"], dict):
            function["arguments"] = json.dumps(function["arguments"])
    return sent


def pieces(text: str, cuts: list[int]) -> list[str]:
    """The text, cut up by the lengths of its pieces, over and over."""
    found: list[str] = []
    while text:
        length = cuts[len(found) % len(cuts)]
        found.append(text[:length])
        text = text[length:]
    return found


@EVERY_FORMAT
@unhurried
@given(answer=arbitrary.answers(), cuts=st.lists(st.integers(1, 12), min_size=1, max_size=5))
@example(answer=(PROSE, PROSE), cuts=[1])
def test_every_message_comes_back_from_the_parser_of_vllm_whole_and_streamed(
    engine: Engine, format: Format, answer: tuple[dict[str, Any], dict[str, Any]], cuts: list[int]
) -> None:
    message, expected = answer
    completion = render_completion(message, format)

    read = engine({"completion": completion, "pieces": pieces(completion, cuts)})

    assert message_of(read["whole"]) == expected
    assert message_of(read["streamed"]) == expected


@EVERY_FORMAT
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_vllm_renders_every_conversation_of_the_table_alike(engine: Engine, format: Format, name: str) -> None:
    messages, tools = CONVERSATIONS[name]

    rendered = engine({"template": format.template, "messages": as_sent(messages), "tools": tools})

    assert rendered["text"] == render_prompt(messages, tools, format)


@unhurried
@given(messages=arbitrary.conversations(), tools=arbitrary.tools())
def test_vllm_gives_the_model_the_ids_that_training_sees(
    engine: Engine, tokenizer: Tokenizer, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    prompt = render_prompt(messages, tools, CHATML)

    rendered = engine({"template": CHATML.template, "messages": as_sent(messages), "tools": tools})

    assert rendered == {"text": prompt, "ids": tokenizer.encode(prompt, add_special_tokens=False).ids}


@EVERY_FORMAT
@pytest.mark.parametrize("name", CONVERSATIONS | OF_OLD)
def test_vllm_renders_the_served_form_of_every_conversation_alike(engine: Engine, format: Format, name: str) -> None:
    messages, tools = (CONVERSATIONS | OF_OLD)[name]
    sent = {"messages": served_messages(messages), "tools": canonical_tools(tools)}

    rendered = engine({"template": format.template} | sent)

    assert rendered["text"] == render_prompt(messages, tools, format)


CALL = '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "whole", "streamed"),
    [
        # Prose with a tag: all of it when read whole, its beginning when streamed.
        ("Use <tool_call> tags.", {"content": "Use <tool_call> tags.", "calls": []}, {"content": "Use ", "calls": []}),
        # Prose with a tag and a call: the call is lost when read whole, garbled when streamed.
        (f"Use <tool_call> {CALL}", {"content": f"Use <tool_call> {CALL}", "calls": []}, None),
        # Less than a tag at the end: never sent.
        ("a <", {"content": "a <", "calls": []}, {"content": "a ", "calls": []}),
        # Words behind a call: dropped.
        (f"{CALL} and more", {"content": None, "calls": [["f", "{}"]]}, {"content": None, "calls": [["f", "{}"]]}),
    ],
)
def test_why_tags_in_prose_are_broken(
    engine: Engine, text: str, whole: dict[str, Any], streamed: dict[str, Any] | None
) -> None:
    """What vLLM's parser makes of text that was not guarded; ours refuses what looks like a call and is none."""
    read = engine({"completion": text, "pieces": pieces(text, [3])})

    assert read["whole"] == whole
    assert read["streamed"] == streamed if streamed else read["streamed"]["calls"] != [["f", "{}"]]
    if "<tool_call>" in text:
        with pytest.raises(Unparsable):
            parse(text)
