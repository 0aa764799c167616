"""The scripted teacher errs as often as it is told to, always in the same way, and speaks HTTP like a real one."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from demo.redaction.app import redact_all
from demo.redaction.made import TYPES, made_texts
from demo.redaction.request import answer_with, found_in, request_for
from demo.redaction.teacher import EXACT, Noise, scripted_teacher, told
from demo.redaction.text import Entity

TEXTS = made_texts(2_000)
TRUE = [entity for text in TEXTS for entity in text.entities]


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    with (
        scripted_teacher(TEXTS[:20], TYPES, Noise(wrong_types=0.5)) as upstream,
        openai.OpenAI(base_url=upstream.base_url, api_key="none", max_retries=0, timeout=20) as client,
    ):
        yield client


def test_without_noise_the_truth_is_told() -> None:
    assert [told(text, TYPES, EXACT) for text in TEXTS] == [text.entities for text in TEXTS]


def test_wrong_types_are_as_many_as_asked_for_and_nothing_is_lost() -> None:
    noise = Noise(wrong_types=0.3)
    pairs = [pair for text in TEXTS for pair in zip(text.entities, told(text, TYPES, noise), strict=True)]

    assert all(true.value == said.value for true, said in pairs)
    assert sum(true != said for true, said in pairs) / len(pairs) == pytest.approx(0.3, abs=0.03)
    assert {said.type for _, said in pairs} == set(TYPES)


def test_dropped_entities_are_as_many_as_asked_for_and_nothing_is_changed() -> None:
    said = [(text, told(text, TYPES, Noise(dropped=0.3))) for text in TEXTS]

    assert all(set(found) <= set(text.entities) for text, found in said)
    assert 1 - sum(len(found) for _, found in said) / len(TRUE) == pytest.approx(0.3, abs=0.03)


def test_both_kinds_together_leave_the_rest_right() -> None:
    noise = Noise(wrong_types=0.15, dropped=0.15)
    right = sum(entity in text.entities for text in TEXTS for entity in told(text, TYPES, noise))

    assert right / len(TRUE) == pytest.approx(0.7, abs=0.03)


def test_the_noise_depends_on_the_seed_and_the_text_alone() -> None:
    noise = Noise(wrong_types=0.3)

    assert [told(text, TYPES, noise) for text in reversed(TEXTS)] == [told(text, TYPES, noise) for text in TEXTS][::-1]
    assert [told(text, TYPES, noise) for text in TEXTS] != [
        told(text, TYPES, Noise(wrong_types=0.3, seed=2)) for text in TEXTS
    ]


def test_the_app_gets_over_http_what_the_teacher_tells(client: openai.OpenAI) -> None:
    answers = list(redact_all(client, TEXTS[:20], TYPES))

    assert answers == [(text, told(text, TYPES, Noise(wrong_types=0.5))) for text in TEXTS[:20]]


def test_a_stream_carries_the_same_arguments(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**request_for(TEXTS[0].text, TYPES), stream=True)
    pieces = [call.function.arguments for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]

    assert len(pieces) > 2
    message = answer_with(TEXTS[0].entities)
    message["tool_calls"][0]["function"]["arguments"] = "".join(pieces)
    assert found_in(message) == told(TEXTS[0], TYPES, Noise(wrong_types=0.5))


def test_a_text_that_the_teacher_does_not_know_is_a_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        list(redact_all(client, made_texts(1, seed=9), TYPES))


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "none"},
        answer_with(()) | {"tool_calls": answer_with(())["tool_calls"] * 2},
        {"tool_calls": [{"function": {"name": "redact", "arguments": "{"}}]},
        {"tool_calls": [{"function": {"name": "redact", "arguments": '{"entities": [{"type": "A"}]}'}}]},
        {"tool_calls": [{"function": {"name": "other", "arguments": '{"entities": []}'}}]},
    ],
)
def test_what_is_no_call_as_it_should_be_finds_nothing(message: dict[str, object]) -> None:
    assert found_in(message) is None


def test_arguments_may_be_text_or_an_object() -> None:
    entities = (Entity("PERSON", "Zoë"),)
    as_object = {"tool_calls": [{"function": {"name": "redact", "arguments": {"entities": [entities[0]._asdict()]}}}]}

    assert found_in(answer_with(entities)) == found_in(as_object) == entities
