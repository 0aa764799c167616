"""A prompt's text -> its words, cut and masked as the fingerprint does it.

A word that changes from call to call (a number, a date, an address) is the mask; several of them in a row count as one,
since dates are written in several words. Templates are made of digests instead of words: equal words have equal
digests, and what is kept of a prompt between two runs holds no text of anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from nightschool.wire.fingerprint import mask

MASK = "#"
_SEPARATORS = "\"'(),;<>[]{}|，。、；：「」（）"  # noqa: RUF001  full width: Chinese
_AS_BLANKS = str.maketrans(dict.fromkeys(_SEPARATORS, " "))
_WORD = re.compile(rf"[^\s{re.escape(_SEPARATORS)}]+")
_KEPT = 1 << 16


class Word(NamedTuple):
    """A word where it stands in its text."""

    start: int
    end: int
    volatile: bool
    """It is likely to be another one in the next call."""


def words(text: str) -> Iterator[Word]:
    for match in _WORD.finditer(text):
        yield Word(match.start(), match.end(), _digest(match[0]) == MASK)


def digests(text: str) -> tuple[str, ...]:
    """One digest per word."""
    found = tuple(map(_digest, text.translate(_AS_BLANKS).split()))
    if MASK not in found:
        return found
    return tuple(digest for n, digest in enumerate(found) if digest != MASK or not n or found[n - 1] != MASK)


@lru_cache(_KEPT)
def _digest(word: str) -> str:
    if mask(word) == MASK and word != MASK:  # the sign itself opens a heading
        return MASK
    return blake2b(word.encode("utf-8", "replace"), digest_size=4).hexdigest()
