"""The prompts that a dataset is made of, by their fingerprints: what its student may be asked with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from distill.dataset.snapshot import find, folder_of
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import ABSENT, RequestBody

LEAST_EXAMPLES = 10
"""Test examples with a prompt, from which on a student is judged by it, and may answer it."""
COLUMNS = ["messages", "tools", "response_format"]
"""Of an example, that tell its prompt."""


def fingerprints_of(files: Sequence[Path], *, newest_only: bool = False) -> Counter[str]:
    """How many examples of these files of a dataset (of the newest days in them) have each prompt."""
    counts: Counter[str] = Counter()
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=[*COLUMNS, "newest"]):
                for row in batch.to_pylist():
                    if newest_only and not row["newest"]:
                        continue
                    prompt = prompt_of(row)
                    if prompt is not None:
                        counts[prompt] += 1
    return counts


def prompt_of(example: Mapping[str, Any]) -> str | None:
    """The fingerprint of the requests that it comes from: it holds system prompt, tools and format as on the wire."""
    return fingerprint(RequestBody(**{name: _raw(example[name]) for name in COLUMNS}))


def learned_prompts(data: Path, workload: str, dataset: str) -> tuple[str, ...]:
    """Those of the training side. Raises UnknownDataset."""
    folder = folder_of(data, find(data, workload, dataset))
    return tuple(sorted(fingerprints_of([folder / "train.parquet"])))


def _raw(text: str | None) -> msgspec.Raw:
    return ABSENT if text is None else msgspec.Raw(text.encode())
