"""What kind of answers a workload gives."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from distill.workloads.answers import Answer, kind_of, labels, read_answer


def response(message: dict[str, Any]) -> str:
    return msgspec.json.encode({"choices": [{"message": {"role": "assistant", **message}}]}).decode()


def function(name: str, arguments: Any) -> dict[str, Any]:
    return {"id": "call_9", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("recorded", "answer"),
    [
        (response({"content": "hello"}), Answer("hello")),
        (response({"content": None, "refusal": "no"}), Answer(refusal=True)),
        (response({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}), Answer("ab")),
        (response({"tool_calls": [function("f", '{"b": 1, "a": 2}')]}), Answer(calls=('["f",{"a":2,"b":1}]',))),
        (response({"function_call": {"name": "f", "arguments": "{}"}}), Answer(calls=('["f",{}]',))),
        ('{"choices": [{"text": "and so on"}]}', Answer("and so on")),
        (
            '{"output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}, '
            '{"type": "function_call", "name": "f", "arguments": "{}"}]}',
            Answer("hi", ('["f",{}]',)),
        ),
        (response({"content": ""}), None),
        ('{"choices": []}', None),
        ('{"choices": [7]}', None),
        ("not JSON", None),
        ("[1]", None),
        (None, None),
    ],
)
def test_an_answer_is_read_from_every_shape(recorded: str | None, answer: Answer | None) -> None:
    assert read_answer(recorded) == answer


def test_parallel_calls_are_equal_in_any_order_and_however_their_arguments_are_written() -> None:
    one = response({"tool_calls": [function("a", '{"x":1}'), function("b", "{}")]})
    other = response({"tool_calls": [function("b", "{ }"), function("a", '{"x": 1}')]})

    assert read_answer(one) == read_answer(other)


def test_json_answers_are_equal_whatever_the_order_of_their_keys() -> None:
    assert Answer('{"a": 1, "b": 2}').canonical == Answer(' {"b":2,"a":1}\n').canonical


INTENTS = [f"intent_{letter}{other}" for letter in "abcdefg" for other in "abcdefghijk"]


def test_a_few_answers_that_come_again_and_again_are_labels() -> None:
    answers = [Answer(INTENTS[n * 31 % 77]) for n in range(400)]

    assert kind_of(answers) == "label"
    found = labels(answers)
    assert found is not None
    assert len(found) == 77


def test_labels_inside_json_are_labels() -> None:
    assert kind_of([Answer(f'{{"label": "{"yes" if n % 2 else "no"}"}}') for n in range(40)]) == "label"


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([], "unknown"),
        ([Answer("yes")] * 19, "text"),
        ([Answer("yes")] * 20, "label"),
        ([Answer(f"short {n}") for n in range(400)], "text"),
        ([Answer("the same long answer " * 10)] * 100, "text"),
        ([Answer(f'{{"total": {n}}}') for n in range(50)], "json"),
        ([Answer(f'```json\n{{"total": {n}}}\n```') for n in range(50)], "json"),
        ([Answer(f"```python\n[{n}]\n```") for n in range(50)], "text"),
        ([Answer(f"[{n}]") for n in range(44)] + [Answer("sorry")] * 6, "text"),
        ([Answer(calls=("f",))] * 2 + [Answer(f"talk {n}") for n in range(8)], "tool_call"),
    ],
)
def test_the_kind_is_that_of_most_answers(answers: list[Answer], kind: str) -> None:
    assert kind_of(answers) == kind
