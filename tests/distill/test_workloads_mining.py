"""Templates, and the ids that they keep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from distill.workloads.contract import Contract
from distill.workloads.mine import Known, Miner
from distill.workloads.template import joined, template_of, widened
from distill.workloads.words import digests

CHAT = Contract("/chat/completions")
TEMPLATES = (
    "You are the personal assistant of {}. You read mail that comes in for {} and write a short answer, always in the "
    "tone of its reader; never promise anything, and sign with the first name only.",
    "Sort messages from customers of an online bookshop. Read the message and answer with the department that should "
    "handle it. The customer is called {} and has been with us since {}, so be kind.",
    "{} wants to know what the weather will be like. Look at the forecast, tell temperature and rain in one sentence, "
    "and advise what to wear; leave out everything else that the forecast may hold.",
    "Translate the text of the user to plain language without losing a fact, and do not comment on it at all. "
    "Audience: {}",
)
NAMES = st.lists(st.sampled_from(["ada", "bo", "cy", "di", "ed", "flo", "gus", "hal", "ivy"]), min_size=1, max_size=3)
PROMPTS = st.builds(
    lambda number, first, second: TEMPLATES[number].format(" ".join(first), " ".join(second)),
    st.integers(0, len(TEMPLATES) - 1),
    NAMES,
    NAMES,
)


def mine(
    prompts: Sequence[str], known: Sequence[Known] = (), contract: Contract = CHAT
) -> tuple[list[str], list[Known]]:
    """The id of each prompt, and what is known afterwards."""
    miner = Miner(known)
    numbers = miner.place([(contract, digests(prompt)) for prompt in prompts])
    found = miner.known()
    return [found[number].id for number in numbers], found


def template_of_prompt(prompt: str) -> str:
    return next(told for told in ("assistant", "bookshop", "weather", "Translate") if told in prompt)


def grouping(prompts: Sequence[str], ids: Sequence[str]) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for prompt, identity in zip(prompts, ids, strict=True):
        groups[identity].add(prompt)
    return {frozenset(group) for group in groups.values()}


@settings(deadline=None, max_examples=60)
@given(st.lists(PROMPTS, min_size=1, max_size=40))
def test_prompts_are_grouped_by_the_template_that_they_were_made_from(prompts: list[str]) -> None:
    ids, _ = mine(prompts)

    assert grouping(prompts, ids) == grouping(prompts, list(map(template_of_prompt, prompts)))


@settings(deadline=None, max_examples=60)
@given(st.lists(PROMPTS, min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_id(prompts: list[str], chance: Random) -> None:
    shuffled = sorted(prompts, key=lambda _: chance.random())

    assert dict(zip(prompts, mine(prompts)[0], strict=True)) == dict(zip(shuffled, mine(shuffled)[0], strict=True))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(PROMPTS, max_size=10), min_size=1, max_size=5))
def test_traffic_that_is_added_renames_nothing_and_groups_as_if_all_had_come_at_once(nights: list[list[str]]) -> None:
    known: list[Known] = []
    ids: dict[str, str] = {}
    so_far: list[str] = []
    for night in nights:
        so_far += night
        found, known = mine(so_far, known)
        now = dict(zip(so_far, found, strict=True))
        assert ids.items() <= now.items()
        ids = now

    assert grouping(so_far, [ids[prompt] for prompt in so_far]) == grouping(so_far, mine(so_far)[0])


@settings(deadline=None, max_examples=60)
@given(st.lists(PROMPTS, min_size=1, max_size=20), st.lists(PROMPTS, max_size=20))
def test_a_prompt_that_has_a_template_fits_it_ever_after(before: list[str], after: list[str]) -> None:
    ids, known = mine(before)
    _, later = mine(after, known)

    templates = {entry.id: entry.template for entry in later}
    assert all(templates[identity].fits(joined(digests(prompt))) for prompt, identity in zip(before, ids, strict=True))


def test_the_id_says_which_tool_or_schema_or_path_it_is_about() -> None:
    contracts = (Contract("/chat/completions", ("redact",)), Contract("/responses", schema="Invoice v2"), CHAT)

    ids = [mine(["Find all names."], contract=contract)[0][0] for contract in contracts]

    assert [identity[:-9] for identity in ids] == ["redact", "invoice-v2", "chat"]


def test_prompts_with_other_tools_are_never_one_group() -> None:
    miner = Miner()
    words = digests(TEMPLATES[0])

    numbers = miner.place([(CHAT, words), (Contract(CHAT.endpoint, ("look",)), words), (CHAT, words)])

    assert numbers == [0, 1, 0] or numbers == [1, 0, 1]


def test_what_stands_in_the_masked_places_does_not_matter() -> None:
    ids, known = mine(["Today is 2026-03-10, order 17 came.", "Today is 11 March 2026, order 18 came."])

    assert len(set(ids)) == 1
    assert not known[0].template.varies


def test_passages_of_any_length_are_a_gap_when_prompts_open_alike() -> None:
    opening = "Answer from the passages below and from nothing else; if they do not tell, say that you do not know. "
    passages = ["".join(f"{letter * length} " for letter in "abcdefghij") * 20 for length in (2, 3, 5)]

    ids, known = mine([opening + passage + "Answer in one sentence." for passage in passages])

    assert len(set(ids)) == 1
    assert known[0].template.words == len(digests(opening)) + 4


def test_a_short_prompt_does_not_swallow_the_long_ones_that_begin_with_it() -> None:
    short = "You are a helpful assistant."

    ids, _ = mine([short, f"{short} {TEMPLATES[0]}", f"{short} {TEMPLATES[1]}"])

    assert len(set(ids)) == 3


def test_prompts_without_words_are_one_template() -> None:
    ids, known = mine(["", "   ", "Hello there."])

    assert ids[0] == ids[1] != ids[2]
    assert template_of(()).fits(joined(()))
    assert known[ids.index(ids[0])].template.words in (0, 2)


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("one two three four five six", "one two three four five seven", 5),
        ("x two three four five six", "y two three four five six", 5),
        ("one two three x four five six", "one two three four five six", 6),
    ],
)
def test_a_template_widens_to_what_two_prompts_share(first: str, second: str, shared: int) -> None:
    found = widened(template_of(digests(first)), digests(second))

    assert found is not None
    assert found[1].words == shared
    assert found[1].fits(joined(digests(first)))
    assert found[1].fits(joined(digests(second)))


def test_an_id_that_is_taken_gets_more_digits() -> None:
    _, (found,) = mine([TEMPLATES[0]])
    taken = Known(found.id, Contract("/elsewhere"), template_of(("a",)))

    (identity,), _ = mine([TEMPLATES[0]], [taken])

    assert identity.startswith(found.id)
    assert len(identity) == len(found.id) + 1


WORDS = st.text("abcdefghijklmnop", min_size=4, max_size=9)
SENTENCES = st.lists(st.lists(WORDS, min_size=14, max_size=30, unique=True), min_size=2, max_size=5)


@settings(deadline=None, max_examples=60)
@given(SENTENCES, st.data())
def test_any_templates_that_share_few_words_stay_apart_whatever_fills_their_slot(
    sentences: list[list[str]], data: st.DataObject
) -> None:
    words = {word for sentence in sentences for word in sentence}
    assume(len(words) == sum(map(len, sentences)))
    slots = [data.draw(st.integers(3, len(sentence) - 3)) for sentence in sentences]
    filled = st.lists(WORDS, max_size=3)
    prompts = [
        " ".join([*sentence[:slot], *data.draw(filled), *sentence[slot:]])
        for sentence, slot in zip(sentences, slots, strict=True)
        for _ in range(3)
    ]
    shuffled = data.draw(st.permutations(prompts))
    half, known = mine(shuffled[: len(prompts) // 2])
    ids, _ = mine(shuffled, known)

    owner = {prompt: str(n // 3) for n, prompt in enumerate(prompts)}
    assert ids[: len(half)] == half
    assert grouping(shuffled, ids) == grouping(shuffled, [owner[prompt] for prompt in shuffled])
