"""What a teacher nearly said, as probabilities of the student's tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tiktoken.load
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE

from demo.engine import MODEL_FOLDER
from distill.dataset.logprobs import Likely, TeacherToken
from distill.train.base import find_base
from distill.train.soft import MOST, SoftLabels, align, joined
from distill.train.vocabulary import LETTERS, Vocabulary
from nightschool.formats import CHATML, LLAMA3, Format, render_completion
from tests.distill.dataset.traffic import calls, says
from tests.distill.train.school import tiny_base
from tests.formats.arbitrary import unhurried
from tests.formats.test_tokens import needs_smollm2

WORDS = [" capital", " of", " Oslo", "The", "of", "Os", "lo", "é", "<|", "Th", " cap", "ital"]
texts = st.lists(st.one_of(st.sampled_from([*WORDS, "<|im_end|>", "\u2060", "<tool_call>"]), st.text(max_size=4))).map(
    "".join
)
logprobs = st.floats(-12, 0)


@cache
def letters_of() -> dict[int, str]:
    return {byte: letter for letter, byte in LETTERS.items()}


def spelled(data: bytes) -> str:
    return "".join(letters_of()[byte] for byte in data)


@cache
def student() -> tuple[Tokenizer, Vocabulary]:
    """A tokenizer of bytes that has merged a few words."""
    vocabulary = {letter: number for number, letter in enumerate(sorted(LETTERS))}
    merges = []
    for word in WORDS:
        known = ""
        for letter in spelled(word.encode()):
            if known and known + letter not in vocabulary:
                vocabulary[known + letter] = len(vocabulary)
                merges.append((known, letter))
            known += letter
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer, Vocabulary(vocabulary, {})


def one(data: bytes, share: float = 1.0, **others: float) -> TeacherToken:
    """A token with its probability, and other texts with theirs."""
    alternatives = [Likely(data, math.log(share)), *(Likely(t.encode(), math.log(p)) for t, p in others.items())]
    return TeacherToken(alternatives[0], tuple(alternatives))


def cut(text: str, *places: int) -> list[TeacherToken]:
    data = text.encode()
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [one(data[begin:end], 0.5) for begin, end in pairwise(ends)]


def aligned(text: str, teacher: Sequence[TeacherToken]) -> tuple[list[int], SoftLabels]:
    tokenizer, vocabulary = student()
    ids = tokenizer.encode(text).ids
    return ids, align(text, ids, teacher, vocabulary)


def told(labels: SoftLabels) -> list[tuple[int, dict[int, float], float]]:
    """Place, shares above 0, tail."""
    return [
        (
            int(place),
            {int(number): round(float(share), 4) for number, share in zip(ids, shares, strict=True) if share > 0},
            round(float(tail), 4),
        )
        for place, ids, shares, tail in zip(labels.places, labels.ids, labels.shares, labels.tail, strict=True)
    ]


def test_the_alphabet_is_that_of_the_tokenizers_library() -> None:
    assert sorted(LETTERS) == sorted(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(LETTERS.values()) == list(range(256))


def test_where_both_cut_alike_the_alternatives_are_tokens_of_the_student() -> None:
    _, vocabulary = student()
    teacher = [one(b"The", 0.7, Th=0.2, Nothing=0.06), one(b" capital"), one(b" of", 0.9)]

    ids, labels = aligned("The capital of", teacher)

    numbers = [vocabulary.id_of(data) for data in (b"The", b"Th", b" capital", b" of")]
    assert ids == [numbers[0], *numbers[2:]]
    assert told(labels) == [
        (0, {numbers[0]: 0.7, numbers[1]: 0.2}, 0.1),
        (1, {numbers[2]: 1.0}, 0.0),
        (2, {numbers[3]: 0.9}, 0.1),
    ]


def test_where_they_cut_otherwise_the_label_stays_hard() -> None:
    _, labels = aligned("The capital of", [one(b"The"), one(b" cap"), one(b"ital"), one(b" of")])

    assert labels.places.tolist() == [0, 2]


@unhurried
@given(text=texts, places=st.lists(st.integers(0, 60)))
def test_a_soft_label_stands_exactly_where_a_token_of_both_has_the_same_bytes(text: str, places: list[int]) -> None:
    teacher = cut(text, *places)
    _, vocabulary = student()

    ids, labels = aligned(text, teacher)

    spans, end = {}, 0
    for token in teacher:
        spans[end, end + len(token.said.data)] = token
        end += len(token.said.data)
    expected, end = [], 0
    for place, number in enumerate(ids):
        data = vocabulary.bytes_of(number) or b""
        if (end, end + len(data)) in spans:
            expected.append(place)
        end += len(data)
    assert labels.places.tolist() == expected
    assert labels.ids[:, 0].tolist() == [ids[place] for place in expected]


@unhurried
@given(
    said=st.sampled_from(["The", " of", "<"]),
    others=st.dictionaries(st.one_of(st.sampled_from(WORDS), st.characters(codec="utf-8")), logprobs, max_size=40),
    logprob=logprobs,
)
def test_shares_and_tail_are_a_distribution(said: str, others: dict[str, float], logprob: float) -> None:
    token = TeacherToken(Likely(said.encode(), logprob), tuple(Likely(t.encode(), p) for t, p in others.items()))

    _, labels = aligned(said, [token])

    assert labels.ids.shape == labels.shares.shape == (1, MOST)
    assert float(labels.shares.sum() + labels.tail.sum()) == pytest.approx(1.0, abs=1e-5)
    assert (labels.shares >= 0).all()
    positive = labels.ids[labels.shares > 0].tolist()
    assert len(set(positive)) == len(positive)


def test_what_was_said_counts_though_it_is_no_alternative() -> None:
    _, vocabulary = student()
    rare = TeacherToken(Likely(b"The", math.log(0.01)), (Likely(b"Th", math.log(0.6)),))

    _, labels = aligned("The", [rare])

    assert told(labels) == [(0, {vocabulary.id_of(b"The"): 0.01, vocabulary.id_of(b"Th"): 0.6}, 0.39)]


def test_a_special_token_is_nothing_that_text_can_ask_for() -> None:
    vocabulary = tiny_base().vocabulary()
    assert vocabulary is not None
    assert vocabulary.bytes_of(tiny_base().end_of_turn) == b"<|im_end|>"
    assert vocabulary.id_of(b"<|im_end|>") is None


@unhurried
@given(text=texts, kept=st.integers(0, 60), rest=texts)
def test_behind_the_first_difference_nothing_is_believed(text: str, kept: int, rest: str) -> None:
    said = text[:kept] + rest
    teacher = [one(bytes([byte]), 0.5) for byte in said.encode()]
    _, vocabulary = student()

    ids, labels = aligned(text, teacher)

    equal = next(
        (at for at, (a, b) in enumerate(zip(text.encode(), said.encode(), strict=False)) if a != b),
        min(len(text.encode()), len(said.encode())),
    )
    for place in labels.places:
        assert sum(len(vocabulary.bytes_of(number) or b"") for number in ids[: place + 1]) <= equal


@unhurried
@given(text=texts.filter(bool), format=st.sampled_from([CHATML, LLAMA3]))
def test_guards_are_no_difference_but_what_stands_behind_one_keeps_its_hard_label(text: str, format: Format) -> None:
    answer = render_completion(says(text), format)
    base = tiny_base()
    vocabulary = base.vocabulary()
    assert vocabulary is not None
    teacher = [one(bytes([byte]), 0.5) for byte in text.encode()]

    labels = align(answer, base.encode(answer), teacher, vocabulary)

    assert len(labels.places) == len(text.encode()) - guards_before_text(answer, text)


def guards_before_text(answer: str, text: str) -> int:
    """Joiners that the format has inserted; one at the very end has nothing behind it."""
    count = at = 0
    for number in range(len(text)):
        rest = text[number:]
        run = len(rest) - len(rest.lstrip("\u2060"))
        inserted = text[:number].endswith("<") and answer[at:].startswith("\u2060" * (run + 1))
        at += 1 + inserted
        count += inserted
    return count


def test_the_text_before_a_tool_call_is_aligned_and_the_call_is_not() -> None:
    message = {**calls("look", "{}"), "content": "The"}
    answer = render_completion(message, CHATML)

    ids, labels = aligned(answer, [one(b"The", 0.7)])

    assert len(ids) > 10
    assert labels.places.tolist() == [0]


def test_tokens_without_text_and_bytes_that_the_student_does_not_write_change_nothing() -> None:
    _, labels = aligned("The of", [one(b"The"), one(b""), one(b" of"), one(b"<|eot|>")])

    assert labels.places.tolist() == [0, 1]


def test_a_tokenizer_that_does_not_write_the_text_back_has_no_soft_labels() -> None:
    _, vocabulary = student()

    assert not len(align("The", [vocabulary.id_of(b"Th") or 0], [one(b"The")], vocabulary).places)


def test_the_answers_of_a_sequence_are_counted_through() -> None:
    _, first = aligned("The of", [one(b"The"), one(b" of")])
    _, second = aligned("Oslo", [one(b"O"), one(b"s"), one(b"lo")])

    both = joined([(0, first), (3, second)])

    assert both is not None
    assert both.places.tolist() == [0, 1, 3 + 1]
    assert joined([]) is None


@needs_smollm2
def test_smollm2_is_a_tokenizer_of_bytes() -> None:
    base = find_base(str(MODEL_FOLDER), MODEL_FOLDER.parent)
    vocabulary = base.vocabulary()
    assert vocabulary is not None
    assert_aligns_with_itself(base.encode, vocabulary)


def test_llama_3_is_a_tokenizer_of_bytes() -> None:
    (package,) = find_spec("llama_models").submodule_search_locations  # type: ignore[union-attr, misc]
    ranks = tiktoken.load.load_tiktoken_bpe(str(Path(package) / "llama3" / "tokenizer.model"))
    pattern = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    encoding = tiktoken.Encoding("llama3", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    vocabulary = Vocabulary({spelled(data): number for data, number in ranks.items()}, {})

    assert all(vocabulary.id_of(data) == number for data, number in ranks.items())
    assert_aligns_with_itself(encoding.encode, vocabulary)


def assert_aligns_with_itself(encode: Callable[[str], list[int]], vocabulary: Vocabulary) -> None:
    """A teacher with the student's own tokens has a soft label for every one of them."""
    for text in (
        "The capital of Norway is Oslo.",
        '{"city": "Ålesund", "days": 3}',
        "日本語 🙂\n\n\tx = 1",
        "a\r\nb  c",
    ):
        ids = encode(text)
        teacher = [one(vocabulary.bytes_of(number) or b"", 0.5) for number in ids]
        labels = align(text, ids, teacher, vocabulary)
        assert labels.places.tolist() == list(range(len(ids)))
        assert labels.ids[:, 0].tolist() == ids
        assert np.allclose(labels.shares[:, 0], 0.5)
