"""Drafts -> the three files of a dataset, with weight and novelty, and the file of what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from distill.dataset.draft import read_drafts
from distill.dataset.example import EXAMPLES
from distill.dataset.gather import SCRATCH, batches
from distill.dataset.near import (
    NEAR,
    PERMUTATIONS,
    SAMPLE,
    Signatures,
    Signer,
    novelty_of,
    pieces_of,
    template_of,
    text_of,
    weights_of,
)
from distill.dataset.sides import SIDES
from distill.dataset.snapshot import Novelty
from nightschool.store.schema import TIME

_EXCLUDED: list[tuple[str, pa.DataType]] = [
    ("id", pa.string()),
    ("time", TIME),
    ("reason", pa.string()),
    ("detail", pa.string()),
]
EXCLUDED = pa.schema(_EXCLUDED)
_NOVEL = 0.5


class Comparison:
    """Weights of the training examples, novelty of the others; each in the order of the drafts."""

    def __init__(self, drafts: Path) -> None:
        signatures = _signatures(drafts)
        self.weight, self.near_clusters = weights_of(signatures["train"])
        self.novelty = {side: novelty_of(signatures[side], signatures["train"]) for side in SIDES[1:]}
        self.of_test = _summary(self.novelty["test"]) if len(self.weight) and len(self.novelty["test"]) else None

    def columns(self, side: str, begin: int, count: int) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Weight and novelty of some examples of a side; a training example has no novelty."""
        if side == "train":
            return self.weight[begin : begin + count], None
        return np.ones(count, np.float32), self.novelty[side][begin : begin + count]


def write_sides(drafts: Path, folder: Path, comparison: Comparison) -> None:
    """The three files; one of a side without examples has columns and no rows."""
    with ExitStack() as stack:
        files = {side: stack.enter_context(_writer(folder / f"{side}.parquet", EXAMPLES)) for side in SIDES}
        done = dict.fromkeys(SIDES, 0)
        for side, rows in _by_side(drafts):
            weight, novelty = comparison.columns(side, done[side], rows.num_rows)
            unknown = pa.nulls(rows.num_rows, pa.float32())
            rows = rows.drop_columns(["side"]).append_column("weight", pa.array(weight))
            rows = rows.append_column("novelty", unknown if novelty is None else pa.array(novelty))
            files[side].write_table(rows.cast(EXAMPLES))
            done[side] += rows.num_rows


def write_excluded(store: duckdb.DuckDBPyConnection, path: Path) -> None:
    """One row for each exchange that is in no example, oldest first."""
    with _writer(path, EXCLUDED) as file:
        for batch in batches(store, f"select * from {SCRATCH}.excluded order by time, id"):
            file.write_table(pa.table(batch).cast(EXCLUDED))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd")


def _by_side(drafts: Path, columns: list[str] | None = None) -> Iterator[tuple[str, pa.Table]]:
    for batch in read_drafts(drafts, columns):
        rows = pa.table(batch)
        sides = rows.column("side").to_pylist()
        for side in SIDES:
            part = rows.filter(pa.array([of == side for of in sides], pa.bool_()))
            if part.num_rows:
                yield side, part


def _signatures(drafts: Path) -> Mapping[str, Signatures]:
    sample, total = [], pq.read_metadata(drafts).num_rows
    step = max(1, total // SAMPLE)
    for number, (_, text) in enumerate(_texts(drafts)):
        if number % step == 0:
            sample.append(pieces_of(text))
    signer = Signer(template_of(sample))
    signed: dict[str, list[Signatures]] = {side: [] for side in SIDES}
    for side, text in _texts(drafts):
        signed[side].append(signer.sign(text))
    empty = np.empty((0, PERMUTATIONS), np.uint16)
    return {side: np.stack(rows) if rows else empty for side, rows in signed.items()}


def _texts(drafts: Path) -> Iterator[tuple[str, str]]:
    for side, rows in _by_side(drafts, ["side", "messages"]):
        for messages in rows.column("messages").to_pylist():
            yield side, text_of(str(messages))


def _summary(novelty: NDArray[np.float32]) -> Novelty:
    return Novelty(
        median=round(float(np.median(novelty)), 3),
        novel=int((novelty >= _NOVEL).sum()),
        copies=int((novelty <= 1 - NEAR).sum()),
    )
