"""The prompts that a dataset is made of, by their fingerprints: what its student may be asked with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq

from distill.dataset.snapshot import find, folder_of
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import ABSENT, RequestBody

_COLUMNS = ["messages", "tools", "response_format"]


def fingerprints_of(files: Sequence[Path], *, newest_only: bool = False) -> Counter[str]:
    """How many examples of these files of a dataset (of the newest days in them) have each prompt.

    The fingerprint is that of the requests which the examples come from: an example holds the system prompt, the tools
    and the response format as they were on the wire.
    """
    counts: Counter[str] = Counter()
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=[*_COLUMNS, "newest"]):
                for row in batch.to_pylist():
                    if newest_only and not row["newest"]:
                        continue
                    prompt = fingerprint(RequestBody(**{name: _raw(row[name]) for name in _COLUMNS}))
                    if prompt is not None:
                        counts[prompt] += 1
    return counts


def learned_prompts(data: Path, workload: str, dataset: str) -> tuple[str, ...]:
    """Those of the training side. Raises UnknownDataset."""
    folder = folder_of(data, find(data, workload, dataset))
    return tuple(sorted(fingerprints_of([folder / "train.parquet"])))


def _raw(text: str | None) -> msgspec.Raw:
    return ABSENT if text is None else msgspec.Raw(text.encode())
