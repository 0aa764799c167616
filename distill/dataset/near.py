"""How alike examples are: MinHash over five-byte pieces of what is not template.

A piece that more than half of a sample of the examples holds is template (instructions, the frame around the input),
and so are system prompts; what is left tells one input from another. Two signatures agree in as large a share of their
numbers as their sets of pieces overlap (Jaccard), give or take 0.04.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.dataset.groups import groups_of
from nightschool.wire import json_text

PERMUTATIONS = 128
BANDS = 16
NEAR = 0.8
SAMPLE = 400
"""Examples in which pieces are counted."""
_LONGEST = 4_000
_CHUNK = 256
_INSTRUCTING = ("system", "developer")

Pieces = NDArray[np.uint64]
Signatures = NDArray[np.uint16]


def text_of(messages: str) -> str:
    """What is compared of an example: the end of its prompt, without system messages and the last answer."""
    turns = json_text.decode(messages.encode())[:-1]
    said = (_words(turn.get("content")) for turn in turns if turn.get("role") not in _INSTRUCTING)
    return " ".join(filter(None, said))[-_LONGEST:]


def pieces_of(text: str) -> Pieces:
    """Every five bytes in a row, each once."""
    data = np.frombuffer(" ".join(text.lower().split()).encode(), np.uint8).astype(np.uint64)
    if len(data) < 5:
        data = np.concatenate([data, np.zeros(5 - len(data), np.uint64)])
    shifted = [data[start : len(data) - 4 + start] << np.uint64(8 * start) for start in range(5)]
    return np.unique(np.bitwise_or.reduce(shifted))


def template_of(sample: Sequence[Pieces]) -> Pieces:
    """Pieces that more than half of the sample holds."""
    if len(sample) < 3:
        return np.empty(0, np.uint64)
    pieces, counts = np.unique(np.concatenate(sample), return_counts=True)
    return pieces[counts > len(sample) / 2]


class Signer:
    """Text -> signature."""

    def __init__(self, template: Pieces) -> None:
        self._template = template
        chance = np.random.default_rng(20_261_122)  # any number; the same one always
        self._factors = chance.integers(1, 2**63, PERMUTATIONS, np.uint64) | np.uint64(1)
        self._offsets = chance.integers(0, 2**63, PERMUTATIONS, np.uint64)

    def sign(self, text: str) -> Signatures:
        """Sixteen bits of each minimum are enough to compare by."""
        pieces = pieces_of(text)
        telling = np.setdiff1d(pieces, self._template, assume_unique=True)
        pieces = telling if len(telling) else pieces
        mixed = (pieces ^ (pieces >> np.uint64(17))) * np.uint64(0x9E37_79B9_7F4A_7C15)
        least = (mixed[None, :] * self._factors[:, None] + self._offsets[:, None]).min(axis=1)
        signature: Signatures = ((least ^ (least >> np.uint64(29))) >> np.uint64(7)).astype(np.uint16)
        return signature


def weights_of(signatures: Signatures) -> tuple[NDArray[np.float32], int]:
    """1/√(size of its cluster of near duplicates) for each row, and how many clusters of two or more there are."""
    rows = np.arange(len(signatures), dtype=np.int64)
    links = [(rows, rows), *(_alike(signatures, band) for band in _bands(signatures))]
    first, second = (np.concatenate(side) for side in zip(*links, strict=True))
    _, groups = groups_of(first, second)
    _, cluster, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return (1 / np.sqrt(sizes[cluster])).astype(np.float32), int((sizes > 1).sum())


def novelty_of(signatures: Signatures, known: Signatures) -> NDArray[np.float32]:
    """1 - likeness of the nearest known row, for each row; 1 where nothing is known."""
    nearest = np.zeros(len(signatures))
    for begin in range(0, len(known), _CHUNK):
        chunk = known[begin : begin + _CHUNK]
        for row, signature in enumerate(signatures):
            nearest[row] = max(nearest[row], (chunk == signature).mean(axis=1).max())
    return (1 - nearest).astype(np.float32)


def _bands(signatures: Signatures) -> Iterable[NDArray[Any]]:
    rows = PERMUTATIONS // BANDS
    for begin in range(0, PERMUTATIONS, rows):
        yield np.ascontiguousarray(signatures[:, begin : begin + rows]).view(f"V{2 * rows}").ravel()


def _alike(signatures: Signatures, band: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that agree in a band, each with the first that does, where they are near duplicates indeed."""
    _, first, inverse = np.unique(band, return_index=True, return_inverse=True)
    leader = first[inverse].astype(np.int64)
    rows = np.flatnonzero(leader != np.arange(len(band)))
    near = [row for row in rows if (signatures[row] == signatures[leader[row]]).mean() >= NEAR]
    kept = np.array(near, dtype=np.int64)
    return kept, leader[kept]


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(
            part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return ""
