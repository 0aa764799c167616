"""Prompts -> templates, in chunks.

    a prompt  ── fits a template as it is ──────────────> that one, the most specific
              ── shares most of its words with one ─────> that one, which widens
              ── else ──────────────────────────────────> a template of its own

What is new in a chunk is taken in an order that is its own, not that of arrival. A template only ever widens, so a
prompt that has one keeps it; its id is made when it is first seen, of its contract and its constant words, and stays.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import msgspec

from distill.workloads.contract import Contract
from distill.workloads.template import OPENING_WORDS, Template, joined, template_of, widened

CHUNK_PROMPTS = 5_000
"""So many prompts are looked at together; memory is bounded by it."""
_RARE_WORDS = 40
_MOST_CANDIDATES = 8
_LEAST_DIGITS, _MOST_DIGITS = 8, 32
_ID = re.compile(rf"[a-z0-9-]+-[0-9a-f]{{{_LEAST_DIGITS},{_MOST_DIGITS}}}(\.[0-9a-f]+)?")

Words = tuple[str, ...]


class Known(msgspec.Struct, frozen=True):
    """A template that has an id."""

    id: str
    contract: Contract
    template: Template


class Miner:
    """Finds templates; ``known`` ones first, oldest first."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self._shelves: dict[Contract, _Shelf] = defaultdict(_Shelf)
        self._contracts: list[Contract] = []
        self._templates: list[Template] = []
        self._ids: list[str | None] = []
        for entry in known:
            self._put(entry.contract, entry.template, entry.id)

    def place(self, prompts: Sequence[tuple[Contract, Words]]) -> list[int]:
        """The number of each prompt's template; numbers stay, ``known()`` stands in their order."""
        numbers: list[int | None] = [self._fitting(contract, joined(words)) for contract, words in prompts]
        strangers = {prompt for prompt, number in zip(prompts, numbers, strict=True) if number is None}
        in_order = sorted(strangers, key=lambda prompt: (prompt[0].order, prompt[1]))
        placed = {prompt: self._settle(*prompt) for prompt in in_order}
        return [placed[prompt] if number is None else number for prompt, number in zip(prompts, numbers, strict=True)]

    def known(self) -> list[Known]:
        """Every template; new ones get their ids now."""
        taken = {identity for identity in self._ids if identity is not None}
        for number, identity in enumerate(self._ids):
            if identity is None:
                contract, template = self._contracts[number], self._templates[number]
                self._ids[number] = next(name for name in _names(contract, template) if name not in taken)
                taken.add(str(self._ids[number]))
        rows = zip(self._ids, self._contracts, self._templates, strict=True)
        return [Known(str(identity), contract, template) for identity, contract, template in rows]

    def _fitting(self, contract: Contract, prompt: str) -> int | None:
        shelf = self._shelves[contract]
        if (number := shelf.exact.get(prompt)) is not None:
            return number
        fitting = [number for number in shelf.varying if self._templates[number].fits(prompt)]
        return min(fitting, key=lambda number: (-self._templates[number].words, number), default=None)

    def _settle(self, contract: Contract, words: Words) -> int:
        number = self._fitting(contract, joined(words))
        if number is not None:
            return number
        shelf = self._shelves[contract]
        choices = [(number, widened(self._templates[number], words)) for number in shelf.candidates(words)]
        accepted = [(found[0], -number, found[1]) for number, found in choices if found is not None]
        if not accepted:
            return self._put(contract, template_of(words), None)
        _, negative, template = max(accepted, key=lambda choice: choice[:2])
        self._templates[-negative] = template
        shelf.widen(-negative)
        return -negative

    def _put(self, contract: Contract, template: Template, identity: str | None) -> int:
        self._contracts.append(contract)
        self._templates.append(template)
        self._ids.append(identity)
        self._shelves[contract].put(len(self._ids) - 1, template)
        return len(self._ids) - 1


class _Shelf:
    """The templates of one contract, by number, and what leads to them quickly."""

    def __init__(self) -> None:
        self.exact: dict[str, int] = {}
        """Templates that are a single prompt, by its words."""
        self.varying: set[int] = set()
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._by_opening: dict[Words, list[int]] = defaultdict(list)

    def put(self, number: int, template: Template) -> None:
        words = tuple(word for run in template.runs for word in run.split(" "))
        if template.varies:
            self.varying.add(number)
        else:
            self.exact[joined(words)] = number
        for word in set(words):
            self._by_word[word].append(number)
        if not template.open_start and template.runs and template.runs[0].count(" ") + 1 >= OPENING_WORDS:
            self._by_opening[words[:OPENING_WORDS]].append(number)

    def widen(self, number: int) -> None:
        self.varying.add(number)

    def candidates(self, words: Words) -> list[int]:
        """Templates that may be similar: those that begin alike, and those that share most of the rarer words."""
        postings = [numbers for word in set(words) if (numbers := self._by_word.get(word))]
        rarest = sorted(postings, key=lambda numbers: (len(numbers), numbers))[:_RARE_WORDS]
        hits = Counter(number for numbers in rarest for number in numbers)
        nearest = sorted(hits, key=lambda number: (-hits[number], number))[:_MOST_CANDIDATES]
        return list(dict.fromkeys([*self._by_opening.get(words[:OPENING_WORDS], ()), *nearest]))


def is_group_id(name: str) -> bool:
    """Whether it could be the id of a group, or of a variant in one."""
    return _ID.fullmatch(name) is not None


def _names(contract: Contract, template: Template) -> Iterator[str]:
    """Ids for a template, the preferred one first: a word that says what it is, and a digest of what it consists of."""
    parts = [contract, template.runs, template.open_start, template.open_end]
    digest = blake2b(msgspec.json.encode(parts), digest_size=_MOST_DIGITS // 2).hexdigest()
    if len(contract.tools) == 1:
        hint = contract.tools[0]
    else:
        hint = contract.schema or contract.endpoint.strip("/").partition("/")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", hint.lower())[:32].strip("-") or "workload"
    return (f"{slug}-{digest[:digits]}" for digits in range(_LEAST_DIGITS, _MOST_DIGITS + 1))
