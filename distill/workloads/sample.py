"""A sample of a group's requests as a rule sees them, and the words that they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from distill.workloads.contract import Contract
from distill.workloads.template import Template, joined
from distill.workloads.words import Word, digests, words

OPENING_CHARS = 80
_OPENING_WORDS = 3
_STOPS = ".:!?"
_CONTEXT = 2
_LONGEST_SEARCH = 8


@dataclass(frozen=True)
class Sample:
    """Some requests of one group."""

    contract: Contract
    systems: tuple[str, ...]
    """System prompts, each once."""
    template: Template | None = None
    """What all of the group's prompts share, those among them that are not in the sample; None if all are in it."""

    @cached_property
    def opening(self) -> str:
        """What all of them begin with, up to a word that is likely to change; empty where that says nothing."""
        shared = _shared_start(min(self.systems), max(self.systems))
        whole = all(text == shared for text in self.systems)
        found = [word.end for word in takewhile(lambda word: not word.volatile, words(self.systems[0]))]
        ends = [end for end in found if end < len(shared) or whole][: self._opening_words]
        if len(ends) < _OPENING_WORDS and not (whole and ends):
            return ""
        short = [end for end in ends if end <= OPENING_CHARS] or ends[:1]
        sentences = [end for end in short[_OPENING_WORDS:] if shared[end - 1] in _STOPS]
        return shared[: sentences[-1] if sentences and len(short) < len(ends) else short[-1]]

    @cached_property
    def stretches(self) -> tuple[str, ...]:
        """Pieces that stand in all of them, longest first."""
        text = min(self.systems, key=lambda system: (len(system), system))
        others = [system for system in self.systems if system is not text]
        found = _stretches(text, list(words(text)), lambda piece: self._is_constant(piece, others))
        return tuple(sorted(found, key=lambda piece: (-len(piece), piece)))

    @property
    def _opening_words(self) -> int | None:
        """How many words are known to open every prompt; None if that is not known otherwise."""
        if self.template is None:
            return None
        runs = self.template.runs
        return runs[0].count(" ") + 1 if runs and not self.template.open_start else 0

    def _is_constant(self, piece: str, others: Sequence[str]) -> bool:
        if any(piece not in other for other in others):
            return False
        if self.template is None:
            return True
        found = joined(digests(piece))
        return any(found in f" {run} " for run in self.template.runs)

    def mark_against(self, other: Sample) -> str | None:
        """Words that stand in all of ours and in none of the other's: short, with a little of what is around them."""
        for stretch in self.stretches:
            if not _stands_in(stretch, other.systems):
                return _narrowed(stretch, other.systems)
        return None


def _shared_start(first: str, last: str) -> str:
    """Of the first and the last text in alphabetical order, and so of all between them."""
    most = min(len(first), len(last))
    return first[: next((n for n in range(most) if first[n] != last[n]), most)]


def _stretches(text: str, found: Sequence[Word], is_constant: Callable[[str], bool]) -> Iterator[str]:
    first = 0
    while first < len(found):
        last = first
        while (
            last < len(found) and not found[last].volatile and is_constant(text[found[first].start : found[last].end])
        ):
            last += 1
        if last > first:
            yield text[found[first].start : found[last - 1].end]
        first = max(last, first + 1)


def _stands_in(piece: str, texts: Sequence[str]) -> bool:
    return any(piece in text for text in texts)


def _narrowed(stretch: str, texts: Sequence[str]) -> str:
    found = list(words(stretch))
    for size in range(1, min(_LONGEST_SEARCH, len(found)) + 1):
        for first in range(len(found) - size + 1):
            last = first + size - 1
            if not _stands_in(stretch[found[first].start : found[last].end], texts):
                begin, end = max(first - _CONTEXT, 0), min(last + _CONTEXT, len(found) - 1)
                return stretch[found[begin].start : found[end].end]
    return stretch
