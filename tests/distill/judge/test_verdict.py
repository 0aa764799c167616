from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.judge.family import family_of, relatives
from distill.judge.verdict import Read, prefer, read_verdict

READS = st.sampled_from([None, Read("first", "a"), Read("second", "b"), Read("tie", "c")])


@pytest.mark.parametrize(
    ("reply", "better"),
    [
        ('{"reason": "r", "verdict": "first"}', "first"),
        ('```json\n{"verdict": "Second", "reason": "r"}\n```', "second"),
        ('<think>maybe {"verdict": "first"}?</think> {"verdict": "tie", "reason": "no"}', "tie"),
        ('{"verdict": "B"}', "second"),
        ('{"winner": 1}', "first"),
        ('{"verdict": "Answer 2."}', "second"),
        ('{"verdict": "neither"}', "tie"),
        ("The first one is better.", None),
        ('{"verdict": "third"}', None),
        ('{"verdict": true}', None),
        ('{"verdict": "first"', None),
        ('["first"]', None),
        ("", None),
    ],
)
def test_what_a_judge_replies_is_read_with_tolerance_and_never_guessed(reply: str, better: str | None) -> None:
    read = read_verdict(reply)

    assert (read and read.better) == better


@given(text=st.text())
def test_any_text_can_be_read(text: str) -> None:
    read_verdict(text)


@given(forth=READS, back=READS)
def test_changing_sides_turns_a_preference_round(forth: Read | None, back: Read | None) -> None:
    here, there = prefer(forth, back), prefer(back, forth)

    assert {"win": "loss", "loss": "win"}.get(str(here.outcome), here.outcome) == there.outcome
    assert (here.outcome is None) == (forth is None or back is None)


@given(forth=READS, back=READS)
def test_only_what_both_orders_say_is_a_preference(forth: Read | None, back: Read | None) -> None:
    if prefer(forth, back).outcome == "win":
        assert (forth and forth.better, back and back.better) == ("first", "second")


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-4o-2024-08-06", "gpt"),
        ("openai/o3-mini", "gpt"),
        ("ft:gpt-4o-mini:acme::x", "gpt"),
        ("anthropic/claude-sonnet-4", "claude"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama"),
        ("Mixtral-8x7B", "mistral"),
        ("something-7b", "something"),
        ("7b", "7b"),
    ],
)
def test_a_name_tells_the_family(model: str, family: str) -> None:
    assert family_of(model) == family


def test_relatives_of_the_judge_are_named() -> None:
    assert relatives("gpt-5", ["gpt-4o", "claude-3", "o1"]) == ["gpt-4o", "o1"]
