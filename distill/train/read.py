"""A dataset's files -> token sequences; what is longer than the student's window is left out and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from distill.train.sequence import TokenSequence, Writer
from nightschool.wire import json_text

_COLUMNS = ["id", "messages", "tools", "learn", "weight"]
_SOFT = "logprobs"
"""Read only where it is wanted: datasets of before have no such column, and it is the largest one."""


@dataclass(frozen=True, slots=True)
class Sequences:
    """One side of a dataset, as tokens."""

    kept: list[TokenSequence]
    too_long: tuple[str, ...]
    """Ids of the examples with a sequence that is longer than the window."""

    @property
    def learned_tokens(self) -> int:
        return sum(sequence.learned_tokens for sequence in self.kept)


def read_side(file: Path, writer: Writer, max_tokens: int) -> Sequences:
    """All sequences of ``train.parquet`` or ``validation.parquet``, in the file's order; none is ever cut.

    They have soft labels where the writer knows the vocabulary.
    """
    kept: list[TokenSequence] = []
    too_long: list[str] = []
    columns = [*_COLUMNS, _SOFT] if writer.vocabulary else _COLUMNS
    for example in _examples(file, columns):
        tools = json_text.decode(example["tools"].encode()) if example["tools"] else None
        messages = json_text.decode(example["messages"].encode())
        sequences = writer.sequences(
            example["id"], messages, tools, example["learn"], example["weight"], example.get(_SOFT)
        )
        fitting = [sequence for sequence in sequences if len(sequence.ids) <= max_tokens]
        kept += fitting
        if len(fitting) < len(sequences):
            too_long.append(example["id"])
    return Sequences(kept, tuple(too_long))


def soft_tokens(file: Path, writer: Writer) -> float:
    """Share of the learned tokens of a side that would have soft labels; prompts are not looked at."""
    soft = learned = 0
    for example in _examples(file, ["messages", "learn", _SOFT]):
        messages = json_text.decode(example["messages"].encode())
        told = example[_SOFT] or [None] * len(example["learn"])
        for place, each in zip(example["learn"], told, strict=True):
            ids, labels = writer.answer(messages[place], each)
            learned += len(ids)
            soft += len(labels.places) if labels else 0
    return soft / max(1, learned)


def _examples(file: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=256, columns=columns):
            yield from batch.to_pylist()
