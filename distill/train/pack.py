"""Sequences of one batch -> rows: several sequences in one forward pass, exactly as if each were alone.

    shared prompt │ rest of 1 │ rest of 2 │ … ┃ another shared prompt │ …         one row, no padding

Positions restart with each sequence, and a token sees only what it would see alone. What sequences begin with
alike, a system prompt and its tools, is computed once and seen by all of them; the gradients through it add up. In
templated traffic that is most of the tokens. Sharing a prefix is what paged attention does when it serves (Kwon et al.,
SOSP 2023); the mask is that of tree attention (SpecInfer, ASPLOS 2024), here for training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
import torch
from torch import Tensor

from distill.train.sequence import TokenSequence
from distill.train.soft import SoftLabels, joined

LEAST_SHARED_TOKENS = 16
"""A shorter common beginning is not worth a segment of its own."""


@dataclass(frozen=True, slots=True)
class SoftTargets:
    """What the teacher nearly said, for M of the learned tokens of a row."""

    places: Tensor
    """int64 (M): which of the K learned tokens."""
    ids: Tensor
    """int64 (M, 20)."""
    shares: Tensor
    """float32 (M, 20): probability of each by the teacher; 0 where there are less."""
    tail: Tensor
    """float32 (M): of everything else."""

    def to(self, device: torch.device) -> SoftTargets:
        return SoftTargets(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Row:
    """L tokens for one forward pass, of which K are learned; all tensors are on the same device."""

    tokens: Tensor
    """int64 (L)."""
    positions: Tensor
    """int64 (L): the place in its own sequence."""
    group: Tensor
    """int64 (L): sequences that share a prefix are one group."""
    segment: Tensor
    """int64 (L): 0 in a shared prefix, else the number of the sequence within its group, from 1."""
    predicts: Tensor
    """int64 (K): places in the row whose logits are wanted; the token before each learned one."""
    targets: Tensor
    """int64 (K): the learned tokens."""
    weights: Tensor
    """float32 (K)."""
    soft: SoftTargets | None = None

    def to(self, device: torch.device) -> Row:
        parts = {name: getattr(self, name) for name in self.__slots__}
        return replace(self, **{name: part.to(device) for name, part in parts.items() if part is not None})

    def sees(self, places: Tensor, others: Tensor) -> Tensor:
        """bool (places, others): true where the token at the one may see that at the other."""
        line, column = places[:, None], others[None, :]
        same = self.segment[line] == self.segment[column]
        shares = (self.group[line] == self.group[column]) & (same | (self.segment[column] == 0))
        return shares & (line >= column)


@dataclass(slots=True)
class _Group:
    """Sequences and the length of what they begin with alike; 0 for one alone."""

    sequences: list[TokenSequence]
    shared: int

    @property
    def rests(self) -> list[int]:
        return [len(sequence.ids) - self.shared for sequence in self.sequences]


def rows_of(batch: Sequence[TokenSequence], row_tokens: int) -> list[Row]:
    """All sequences of the batch, in rows of at most ``row_tokens``; one that is longer gets a row of its own."""
    return [_row(groups) for groups in _filled(_groups(batch), row_tokens)]


def _groups(batch: Iterable[TokenSequence]) -> Iterator[_Group]:
    """In the order of their tokens, neighbours have the longest beginnings in common."""
    group: _Group | None = None
    for sequence in sorted(batch, key=lambda sequence: (sequence.ids, sequence.learned)):
        if group is not None and (shared := _shared(group, sequence)):
            group.sequences.append(sequence)
            group.shared = shared
            continue
        if group is not None:
            yield group
        group = _Group([sequence], 0)
    if group is not None:
        yield group


def _shared(group: _Group, sequence: TokenSequence) -> int:
    """What a group would share with one more; 0 where that is too little to join it."""
    first = group.sequences[0]
    most = min(group.shared or len(first.ids), *(each.learned[0][0] - 1 for each in (first, sequence)))
    pairs = zip(first.ids[:most], sequence.ids[:most], strict=False)
    length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return length if length >= max(LEAST_SHARED_TOKENS, group.shared // 2) else 0


def _filled(groups: Iterable[_Group], row_tokens: int) -> Iterator[list[_Group]]:
    """Groups in rows; one that does not fit is divided, and each part has the shared beginning again."""
    row: list[_Group] = []
    used = 0
    for group in groups:
        part = _Group([], group.shared)
        for sequence, rest in zip(group.sequences, group.rests, strict=True):
            cost = rest if part.sequences else rest + group.shared
            if used + cost > row_tokens and (row or part.sequences):
                yield [*row, part] if part.sequences else row
                row, used, part, cost = [], 0, _Group([], group.shared), rest + group.shared
            part.sequences.append(sequence)
            used += cost
        row.append(part)
    if row:
        yield row


@dataclass(slots=True)
class _Draft:
    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    group: list[int] = field(default_factory=list)
    segment: list[int] = field(default_factory=list)
    predicts: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    soft: list[tuple[int, SoftLabels]] = field(default_factory=list)

    def add(self, ids: Sequence[int], begin: int, *, group: int, segment: int) -> int:
        """Append ``ids[begin:]``; returns how far places in the row are ahead of places in the sequence."""
        ahead = len(self.tokens) - begin
        self.tokens += ids[begin:]
        self.positions += range(begin, len(ids))
        self.group += [group] * (len(ids) - begin)
        self.segment += [segment] * (len(ids) - begin)
        return ahead

    def learn(self, sequence: TokenSequence, ahead: int) -> None:
        if sequence.soft is not None:
            self.soft.append((len(self.targets), sequence.soft))
        for begin, end in sequence.learned:
            self.predicts += range(begin - 1 + ahead, end - 1 + ahead)
            self.targets += sequence.ids[begin:end]
            self.weights += [sequence.weight] * (end - begin)


def _row(groups: Sequence[_Group]) -> Row:
    draft = _Draft()
    for number, group in enumerate(groups):
        draft.add(group.sequences[0].ids[: group.shared], 0, group=number, segment=0)
        for segment, sequence in enumerate(group.sequences, start=1):
            ahead = draft.add(sequence.ids, group.shared, group=number, segment=segment)
            draft.learn(sequence, ahead)
    return Row(
        tokens=torch.tensor(draft.tokens),
        positions=torch.tensor(draft.positions),
        group=torch.tensor(draft.group),
        segment=torch.tensor(draft.segment),
        predicts=torch.tensor(draft.predicts),
        targets=torch.tensor(draft.targets),
        weights=torch.tensor(draft.weights, dtype=torch.float32),
        soft=_soft(joined(draft.soft)),
    )


def _soft(labels: SoftLabels | None) -> SoftTargets | None:
    if labels is None:
        return None
    places, ids = (torch.from_numpy(part.astype(np.int64)) for part in (labels.places, labels.ids))
    return SoftTargets(places, ids, torch.from_numpy(labels.shares), torch.from_numpy(labels.tail))
