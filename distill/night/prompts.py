"""The prompts that a student was tested on: on which it may answer, how much that is, and why it may be nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import msgspec
import pyarrow.parquet as pq

from distill.dataset.prompts import fingerprints_of
from nightschool.wire.fingerprint import mask
from nightschool.wire.request import RequestBody
from nightschool.wire.task import instructs, turn_text

_LOOKED_AT = 200
"""Test examples by which it is told what varies."""
_SHOWN_WORDS = 5


class Prompts(NamedTuple):
    """Of a test side."""

    qualified: tuple[str, ...]
    """Fingerprints of those that the evaluation was made with."""
    share: float
    """Of the test examples, that these prompts cover."""
    newest: Counter[str]
    """Examples of the newest days, by fingerprint."""

    def newest_covered(self, fingerprints: Iterable[str]) -> int:
        return sum(self.newest[each] for each in set(fingerprints))


def tested_prompts(dataset: Path, qualified: Sequence[str]) -> Prompts:
    """How much of a dataset's test side these are."""
    test = dataset / "test.parquet"
    counts = fingerprints_of([test])
    covered = sum(counts[each] for each in qualified)
    return Prompts(tuple(qualified), covered / max(1, counts.total()), fingerprints_of([test], newest_only=True))


def what_varies(dataset: Path) -> str:
    """What tells the prompts of the test side apart, in words; of the words that differ themselves nothing is said."""
    templates = sorted({_template(text) for text in _messages(dataset / "test.parquet")})
    if len(templates) < 2:
        return "their tools or response formats differ"
    first, other = templates[0].split(), templates[-1].split()
    same = next((at for at, pair in enumerate(zip(first, other, strict=False)) if pair[0] != pair[1]), None)
    before = first[: min(len(first), len(other)) if same is None else same]
    if not before:
        return "their system messages differ from the first word on"
    return f"their system messages differ after “{' '.join(before[-_SHOWN_WORDS:])}”"


def _messages(test: Path) -> list[str]:
    with pq.ParquetFile(test) as file:
        batch = next(file.iter_batches(batch_size=_LOOKED_AT, columns=["messages"]), None)
    return [] if batch is None else [str(text) for text in batch.column("messages").to_pylist()]


def _template(messages: str) -> str:
    """Of its system messages, as the fingerprint sees them."""
    turns = RequestBody(messages=msgspec.Raw(messages.encode())).turns
    return mask(" ".join(turn_text(turn) for turn in takewhile(instructs, turns)))
