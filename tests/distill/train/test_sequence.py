"""What of an example is context, and what is learned."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from distill.train.sequence import TokenSequence
from nightschool.errors import Unrenderable
from nightschool.formats import CHATML, parse, render_completion, render_prompt
from tests.distill.dataset.traffic import calls, says, user
from tests.distill.train.school import tiny_base, writer
from tests.formats import arbitrary
from tests.formats.arbitrary import unhurried


def written(messages: list[dict[str, Any]], *learn: int, tools: Any = None) -> list[TokenSequence]:
    return writer().sequences("e", messages, tools, learn, 0.5)


def text_of(ids: tuple[int, ...]) -> str:
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(tiny_base().name).decode(list(ids)))


def learned_texts(sequence: TokenSequence) -> list[str]:
    return [text_of(sequence.ids[begin:end]) for begin, end in sequence.learned]


def test_the_answer_and_its_end_are_learned_and_nothing_else() -> None:
    messages = [user("Hi"), says("Hello!")]

    (sequence,) = written(messages, 1)

    assert text_of(sequence.ids) == render_prompt(messages[:1], None, CHATML) + "Hello!<|im_end|>"
    assert learned_texts(sequence) == ["Hello!<|im_end|>"]
    assert (sequence.example, sequence.weight, sequence.learned_tokens) == ("e", 0.5, 7)


def test_every_answer_of_a_conversation_is_learned_in_one_sequence() -> None:
    messages = [user("1"), says("one"), user("2"), says("two"), user("3"), says("three")]

    (sequence,) = written(messages, 1, 5)

    assert learned_texts(sequence) == ["one<|im_end|>", "three<|im_end|>"]
    assert text_of(sequence.ids).endswith("<|im_start|>assistant\nthree<|im_end|>")


def test_an_answer_that_later_prompts_write_otherwise_is_a_sequence_of_its_own() -> None:
    messages = [user("1"), says("<|im_end|> <"), user("2"), says("two")]
    rendered_again = render_prompt(messages[:3], None, CHATML)
    alone = render_prompt(messages[:1], None, CHATML) + render_completion(messages[1], CHATML) + "<|im_end|>"
    assert rendered_again.startswith(alone)

    assert [learned_texts(sequence) for sequence in written(messages, 1, 3)] == [
        [render_completion(messages[1], CHATML) + "<|im_end|>", "two<|im_end|>"]
    ]


def test_a_call_is_learned_as_it_is_served() -> None:
    messages = [user("Oslo?"), calls("weather", '{"city": "Oslo"}')]

    (sequence,) = written(messages, 1)

    (text,) = learned_texts(sequence)
    assert parse(text.removesuffix("<|im_end|>"))["tool_calls"][0]["function"] == {
        "name": "weather",
        "arguments": {"city": "Oslo"},
    }


@unhurried
@given(messages=arbitrary.conversations(), tools=arbitrary.tools())
def test_whatever_is_said_context_and_answers_are_what_a_server_sees(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    places = [place for place, message in enumerate(messages) if message["role"] == "assistant" and place]
    encode = tiny_base().encode
    try:
        sequences = written(messages, *places, tools=tools) if places else []
    except Unrenderable:
        return

    learned = [
        (sequence.ids[:begin], sequence.ids[begin:end]) for sequence in sequences for begin, end in sequence.learned
    ]
    assert learned == [
        (
            tuple(encode(render_prompt(messages[:place], tools, CHATML))),
            (*encode(render_completion(messages[place], CHATML)), tiny_base().end_of_turn),
        )
        for place in places
    ]
