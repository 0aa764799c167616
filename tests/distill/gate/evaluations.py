"""Evaluations as files, without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS: list[tuple[str, pa.DataType]] = [
    ("group", pa.string()),
    ("example", pa.string()),
    ("system", pa.string()),
    ("score", pa.float64()),
    ("problem", pa.string()),
    ("slices", pa.list_(pa.string())),
    ("truth", pa.string()),
]
SCHEMA = pa.schema(COLUMNS)


def answer(example: str, system: str, score: float | None, **more: Any) -> dict[str, Any]:
    return {"group": f"g-{example}", "example": example, "system": system, "score": score, **more}


def answers(scores: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Of teacher and student, and of the base model, which never counts."""
    return [
        answer(str(number), system, score)
        for number, pair in enumerate(scores)
        for system, score in zip(("teacher", "student", "base"), (*pair, 0.0), strict=True)
    ]


def write_evaluation(data: Path, rows: list[dict[str, Any]], name: str = "e1", **manifest: Any) -> Path:
    folder = data / "evaluations" / "triage" / name
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / "rows.parquet")
    (folder / "manifest.json").write_bytes(msgspec.json.encode({"workload": "triage", "id": name, **manifest}))
    return folder
