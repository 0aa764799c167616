"""How alike texts are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.dataset.near import Signer, novelty_of, pieces_of, template_of, text_of, weights_of

NOTHING = np.empty(0, np.uint64)


@pytest.mark.parametrize("shared", [0, 20, 50, 80, 100])
def test_signatures_agree_as_much_as_the_pieces_overlap(shared: int) -> None:
    chance = np.random.default_rng(5)
    words = ["".join(chr(97 + letter) for letter in chance.integers(0, 26, 7)) for _ in range(300)]
    one, other = " ".join(words[:100]), " ".join([*words[:shared], *words[100 : 200 - shared]])
    signer = Signer(NOTHING)

    agreeing = (signer.sign(one) == signer.sign(other)).mean()

    first, second = set(pieces_of(one).tolist()), set(pieces_of(other).tolist())
    assert agreeing == pytest.approx(len(first & second) / len(first | second), abs=0.13)


def test_the_template_of_prompts_does_not_make_them_alike() -> None:
    frame = "Classify the following message of a customer into one of seventy-seven intents, and answer with its name: "
    texts = [frame + f"{number * 7919} {number * 104729}" for number in range(40)]
    template = template_of([pieces_of(text) for text in texts])

    plain, without = ([Signer(known).sign(text) for text in texts[:2]] for known in (NOTHING, template))

    assert (plain[0] == plain[1]).mean() > 0.6
    assert (without[0] == without[1]).mean() < 0.3


def test_a_prompt_of_nothing_but_template_is_compared_whole() -> None:
    signer = Signer(pieces_of("always the same"))

    assert (signer.sign("always the same") == signer.sign("always the same")).all()
    assert (signer.sign("always the same") == signer.sign("another thing")).mean() < 0.2


def test_weights_are_one_over_the_root_of_the_cluster() -> None:
    signer = Signer(NOTHING)
    long = "a text that is long enough to stay nearly the same when a single letter of it has changed, number "
    signatures = np.stack([signer.sign(text) for text in (*(long + letter for letter in "abcd"), "something else")])

    weights, clusters = weights_of(signatures)

    assert weights.tolist() == pytest.approx([0.5] * 4 + [1.0])
    assert clusters == 1


def test_novelty_is_what_the_nearest_known_row_leaves() -> None:
    signer = Signer(NOTHING)
    known = np.stack([signer.sign(f"known text number {number}") for number in range(300)])
    rows = np.stack([signer.sign("known text number 299"), signer.sign("zzzzzz qqqqq")])

    assert novelty_of(rows, known).tolist() == pytest.approx([0.0, 1.0], abs=0.05)
    assert novelty_of(rows, known[:0]).tolist() == [1.0, 1.0]


def test_system_messages_and_the_answer_are_not_compared() -> None:
    parts = [{"type": "text", "text": "two"}, {"type": "image_url"}]
    messages = [("system", "no"), ("user", "one"), ("assistant", None), ("tool", parts), ("assistant", "no")]

    assert text_of(json.dumps([{"role": role, "content": content} for role, content in messages])) == "one two"


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_can_be_signed(text: str) -> None:
    signer = Signer(NOTHING)

    assert (signer.sign(text) == signer.sign(text)).all()
