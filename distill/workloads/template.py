"""A template: the words that all prompts of one kind share, in order, with gaps between them.

After Drain (He et al. 2017): a prompt belongs to the template with which it shares most words, and what differs becomes
a gap. Unlike a line of a log, a prompt may have any number of words in a gap (a name, a list, a page of context), so
words are aligned instead of being compared place by place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import NamedTuple

import msgspec

SIMILAR = 0.7
"""Share of the words that a prompt has in common with a template of which it is one."""
OPENING_WORDS = 16
"""Prompts that begin with so many equal words have one template, however long the passages are that come after."""
SHORTEST_RUN = 3
"""Fewer equal words between two gaps are chance."""
_MOST_PAIRS = 250_000
"""Words times words that are compared: beyond it, the middle of two prompts is taken to differ."""


class Template(msgspec.Struct, frozen=True):
    """Runs of words that stand in every prompt, in this order; between two runs may stand anything."""

    runs: tuple[str, ...]
    """Digests, with a blank between two."""
    open_start: bool = False
    """Anything may stand before the first run."""
    open_end: bool = False
    shortest: int = 0
    """Words of the shortest prompt that is known to have this template."""

    @property
    def words(self) -> int:
        return sum(run.count(" ") + 1 for run in self.runs)

    @property
    def varies(self) -> bool:
        return len(self.runs) > 1 or self.open_start or self.open_end

    def fits(self, prompt: str) -> bool:
        """Whether a prompt, as ``joined``, has this template as it is."""
        position, last = 0, len(self.runs) - 1
        for index, run in enumerate(self.runs):
            text = f" {run} "
            if index == last and not self.open_end:
                found = len(prompt) - len(text)
                if found < position or not prompt.endswith(text) or (not index and found and not self.open_start):
                    return False
            else:
                found = prompt.find(text, position)
                if found < 0 or (not index and found and not self.open_start):
                    return False
            position = found + len(text) - 1
        return bool(self.runs) or prompt == joined(())


def joined(words: Sequence[str]) -> str:
    """Words as ``fits`` wants them: a run is found as a piece of text."""
    return f" {' '.join(words)} "


def template_of(words: Sequence[str]) -> Template:
    """The template of a single prompt: all of it."""
    return Template((" ".join(words),) if words else (), shortest=len(words))


def widened(template: Template, words: Sequence[str]) -> tuple[float, Template] | None:
    """The template that this prompt has, too, and how much they share; None if the prompt has another one."""
    shape = _Shape.of(template)
    pieces = list(_pieces(shape, words))
    runs, open_start, open_end, lost = _frequent(pieces)
    matched = sum(map(len, runs))
    shortest = min(template.shortest, len(words))
    result = Template(tuple(map(" ".join, runs)), open_start, open_end, shortest)
    share = matched / (matched + lost) if matched else 0.0
    opens_alike = bool(runs) and not open_start and len(runs[0]) >= OPENING_WORDS
    if opens_alike or (share >= SIMILAR and 2 * matched >= shortest):
        return share, result
    return None


class _Shape(NamedTuple):
    """A template's words in one row, and the places before which a gap stands."""

    words: list[str]
    gaps: frozenset[int]

    @classmethod
    def of(cls, template: Template) -> _Shape:
        words: list[str] = []
        gaps = {0} if template.open_start else set()
        for index, run in enumerate(template.runs):
            if index:
                gaps.add(len(words))
            words += run.split(" ")
        if template.open_end:
            gaps.add(len(words))
        return cls(words, frozenset(gaps))


class _Piece(NamedTuple):
    """A run of common words, and what differs before it."""

    words: list[str]
    gap: bool
    lost: int
    """Words that do not agree, where there was no gap to hold them."""


def _pieces(shape: _Shape, words: Sequence[str]) -> Iterator[_Piece]:
    """The common runs in order; the last piece has no words, and stands for the end."""
    before_i = before_j = 0
    for i, j, size in _blocks(shape.words, words):
        lost, extra = i - before_i, j - before_j
        had_gap = any(before_i <= gap <= i for gap in shape.gaps)
        gap = had_gap or lost > 0 or extra > 0
        cost = lost if had_gap else max(lost, extra)
        cuts = [i, *sorted(cut for cut in shape.gaps if i < cut < i + size), i + size]
        for first, following in pairwise(cuts):
            yield _Piece(shape.words[first:following], gap, cost)
            gap, cost = True, 0
        before_i, before_j = i + size, j + size


def _blocks(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Equal runs (place in the one, place in the other, words); at the end an empty one, as difflib does it."""
    most = min(len(first), len(second))
    head = next((n for n in range(most) if first[n] != second[n]), most)
    most -= head
    tail = next((n for n in range(most) if first[-1 - n] != second[-1 - n]), most)
    if head:
        yield 0, 0, head
    middle = first[head : len(first) - tail], second[head : len(second) - tail]
    if len(middle[0]) * len(middle[1]) <= _MOST_PAIRS:
        for block in SequenceMatcher(None, *middle, autojunk=False).get_matching_blocks()[:-1]:
            yield block.a + head, block.b + head, block.size
    if tail:
        yield len(first) - tail, len(second) - tail, tail
    yield len(first), len(second), 0


def _frequent(pieces: Sequence[_Piece]) -> tuple[list[list[str]], bool, bool, int]:
    """Runs that are long enough; whether the template is open at its start and end; and how many words disagree."""
    runs: list[list[str]] = []
    open_start = open_gap = False
    lost = sum(piece.lost for piece in pieces)
    for index, piece in enumerate(pieces):
        open_gap = open_gap or piece.gap
        if not piece.words:
            continue
        at_start = not runs and not open_gap
        at_end = index == len(pieces) - 2 and not pieces[-1].gap
        if len(piece.words) < SHORTEST_RUN and not at_start and not at_end:
            lost += len(piece.words)
            open_gap = True
            continue
        if not runs:
            open_start = open_gap
        runs.append(piece.words)
        open_gap = False
    return runs, open_start, open_gap, lost
