"""When two prompts are the same."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from distill.dataset.identity import Keys, keys_of

Message = dict[str, Any]
CALL = {"id": "x1", "type": "function", "function": {"name": "f", "arguments": '{"a":1,"b":2}'}}
TEXT = {"role": "user", "content": "hello there"}


def test_the_keys_of_today_are_those_of_tomorrow() -> None:
    """They are kept for ever: whoever changes this number makes strangers of all that was assigned."""
    calling = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    result = {"role": "tool", "tool_call_id": "x1", "content": "ok"}

    keys = keys_of([{"role": "system", "content": "s"}, TEXT, calling, result], {"role": "assistant", "content": "a"})

    assert keys == Keys(688126162776965902, 4798455899712962484, [-8935874043328481197])


def same(one: list[Message], other: list[Message]) -> bool:
    return keys_of(one, None).input == keys_of(other, None).input


def test_white_space_and_parts_do_not_count() -> None:
    parts = [{"type": "text", "text": "hello"}, {"type": "text", "text": "there"}]

    assert same([TEXT], [{"role": "user", "content": " hello\n there"}])
    assert same([TEXT], [{"role": "user", "content": parts}])
    assert not same([TEXT], [{"role": "user", "content": "hello you"}])
    assert not same([TEXT], [{"role": "system", "content": "hello there"}])


def test_ids_of_calls_do_not_count_but_which_result_belongs_to_which() -> None:
    def prompt(first: str, second: str, answered: str) -> list[Message]:
        calls = [{**CALL, "id": first}, {**CALL, "id": second}]
        return [
            TEXT,
            {"role": "assistant", "tool_calls": calls},
            {"role": "tool", "tool_call_id": answered, "content": "r"},
        ]

    assert same(prompt("a", "b", "a"), prompt("k", "l", "k"))
    assert not same(prompt("a", "b", "a"), prompt("a", "b", "b"))


@given(st.lists(st.sampled_from(["user", "assistant"]), min_size=1, max_size=6), st.text(max_size=8))
def test_what_was_asked_and_answered_is_a_prefix_of_what_comes_next(roles: list[str], answer: str) -> None:
    prompt = [{"role": role, "content": f"{place}"} for place, role in enumerate(roles)]
    reply = {"role": "assistant", "content": answer}

    keys = keys_of(prompt, reply)
    later = keys_of([*prompt, reply, TEXT], None)

    assert keys.answered == later.prefixes[-1]
    assert keys.prefixes == later.prefixes[:-1]
