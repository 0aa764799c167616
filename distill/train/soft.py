"""What a teacher nearly said -> probabilities of the student's tokens, wherever both cut the text at the same places.

    teacher  │ The│ cap│ital│ of│      its own tokens, each with alternatives
    student  │ The│ capital│ of│        ─> soft labels for " The" and " of"; " capital" keeps its hard one

Tokens are compared as bytes, never as ids or as text. An alternative that is no token of the student, and all that the
teacher did not tell, is one more outcome: the tail (the "ghost token" of Anshumann et al., ACL 2025: to spread it over
the known ones would bias the student towards them). Teacher and student must have written the same up to a token, or
its probabilities are of another text: what comes behind the first difference keeps its hard labels. The guards of a
format are no difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.dataset.logprobs import Likely, TeacherToken
from distill.train.vocabulary import Vocabulary

MOST = 20
"""Alternatives that upstreams give at most."""
_JOINER = "\u2060".encode()
_GUARDED = b"<" + _JOINER


@dataclass(frozen=True, slots=True, eq=False)
class SoftLabels:
    """Of M of the learned tokens of a sequence, or of an answer."""

    places: NDArray[np.int32]
    """(M), ascending: which of the learned tokens."""
    ids: NDArray[np.int32]
    """(M, 20); where there are less, the token that was said stands in the rest, with the share 0."""
    shares: NDArray[np.float32]
    """(M, 20): probability of each by the teacher."""
    tail: NDArray[np.float32]
    """(M): probability of everything else."""


def align(answer: str, ids: Sequence[int], teacher: Sequence[TeacherToken], vocabulary: Vocabulary) -> SoftLabels:
    """Soft labels for the tokens ``ids`` of a rendered answer; for none of them where nothing can be compared."""
    spans = _spans(answer.encode(), ids, vocabulary)
    found = [
        (place, labels)
        for begin, end, token in _said(answer.encode(), teacher)
        if (place := spans.get((begin, end))) is not None
        if vocabulary.id_of(token.said.data) == ids[place]
        if (labels := _shares(token, vocabulary))
    ]
    return _table(found, ids)


def joined(parts: Iterable[tuple[int, SoftLabels]]) -> SoftLabels | None:
    """Those of several answers in one sequence, each with the number of learned tokens before it."""
    held = [(ahead, labels) for ahead, labels in parts if len(labels.places)]
    if not held:
        return None
    return SoftLabels(
        np.concatenate([labels.places + np.int32(ahead) for ahead, labels in held]),
        np.concatenate([labels.ids for _, labels in held]),
        np.concatenate([labels.shares for _, labels in held]),
        np.concatenate([labels.tail for _, labels in held]),
    )


def _spans(written: bytes, ids: Sequence[int], vocabulary: Vocabulary) -> dict[tuple[int, int], int]:
    """Where each of the student's tokens begins and ends -> its place; empty where they do not add up to the text."""
    spans: dict[tuple[int, int], int] = {}
    end = 0
    for place, number in enumerate(ids):
        data = vocabulary.bytes_of(number)
        if not data or not written.startswith(data, end):
            return {}
        spans[end, end + len(data)] = place
        end += len(data)
    return spans if end == len(written) else {}


def _said(written: bytes, teacher: Sequence[TeacherToken]) -> Iterator[tuple[int, int, TeacherToken]]:
    """Begin and end in the answer of each of the teacher's tokens, up to where the two differ.

    Left out is a token with a guard in it, or right before it: there the student has something else to write first.
    """
    places = _places(b"".join(token.said.data for token in teacher), written)
    begin = 0
    for token in teacher:
        end = begin + len(token.said.data)
        if end > len(places):
            return
        first = max(0, begin - 1)
        if end > begin and places[end - 1] - places[first] == end - 1 - first:
            yield places[begin], places[end - 1] + 1, token
        begin = end


def _places(said: bytes, written: bytes) -> list[int]:
    """Where each byte of what the teacher said stands in the rendered answer, as far as they are the same."""
    places: list[int] = []
    at = 0
    for number, byte in enumerate(said):
        if written.startswith(_GUARDED, at - 1) and at and _joiners(written, at) == _joiners(said, number) + 1:
            at += len(_JOINER)
        if at == len(written) or written[at] != byte:
            break
        places.append(at)
        at += 1
    return places


def _joiners(text: bytes, begin: int) -> int:
    count = 0
    while text.startswith(_JOINER, begin + count * len(_JOINER)):
        count += 1
    return count


def _shares(token: TeacherToken, vocabulary: Vocabulary) -> dict[int, float]:
    """The likeliest of the student's tokens with their probabilities, which add up to 1 at most."""
    shares: dict[int, float] = {}
    for likely in _outcomes(token):
        number = vocabulary.id_of(likely.data)
        share = math.exp(min(0.0, likely.logprob))
        if number is not None and share > 0:
            shares[number] = shares.get(number, 0.0) + share
    best = sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
    total = max(1.0, sum(share for _, share in best))
    return {number: share / total for number, share in best}


def _outcomes(token: TeacherToken) -> Iterator[Likely]:
    """What the teacher said is often one of the alternatives, but need not be."""
    if all(likely.data != token.said.data for likely in token.alternatives):
        yield token.said
    yield from token.alternatives


def _table(found: Sequence[tuple[int, dict[int, float]]], said: Sequence[int]) -> SoftLabels:
    ids = np.empty((len(found), MOST), np.int32)
    shares = np.zeros((len(found), MOST), np.float32)
    for line, (place, labels) in enumerate(found):
        ids[line] = said[place]
        ids[line, : len(labels)] = list(labels)
        shares[line, : len(labels)] = list(labels.values())
    tail = np.maximum(0.0, 1.0 - shares.sum(axis=1, dtype=np.float64)).astype(np.float32)
    return SoftLabels(np.array([place for place, _ in found], np.int32), ids, shares, tail)
