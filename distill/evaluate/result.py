"""An evaluation on the disk: its rows, its manifest, its report, published whole or not at all.

data/evaluations/<workload>/<day>-<12 hex>/  rows.parquet  manifest.json  report.html  report.md
data/evaluations/<workload>/.unfinished/<key>/  answers.jsonl      what a run that was interrupted goes on with
data/evaluations/<workload>/.unfinished/<key>.left/                the same of one that is published, but not whole
data/evaluations/<workload>/verdicts.jsonl                         verdicts that are not in the store yet
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from distill.dataset.snapshot import place_of
from distill.evaluate.marks import Mark
from distill.gate.evidence import Measured
from distill.judge.calibrate import Calibration
from distill.judge.judge import Counts
from nightschool.errors import NightschoolError, StoreBusy
from nightschool.store.durable import make_folder, publish_folder
from nightschool.store.lock import lock_at_once

FORMAT_VERSION = 1
_FORGOTTEN_AFTER_S = 7 * 86_400
_UNFINISHED = ".unfinished"
MANIFEST, ROWS, HTML, MARKDOWN = "manifest.json", "rows.parquet", "report.html", "report.md"
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("group", pa.string()),
    ("example", pa.string()),
    ("system", pa.string()),
    ("score", pa.float64()),
    ("problem", pa.string()),
    ("truth", pa.string()),
    ("slices", pa.list_(pa.string())),
    ("answer", pa.string()),
    ("valid", pa.bool_()),
    ("refusal", pa.bool_()),
    ("judge", pa.float64()),
    ("reason", pa.string()),
    ("latency_ms", pa.float64()),
    ("prompt_tokens", pa.int64()),
    ("completion_tokens", pa.int64()),
    ("cost_usd", pa.float64()),
]
SCHEMA = pa.schema(_COLUMNS)


class UnknownEvaluation(NightschoolError):
    """No evaluation has this name, or its manifest cannot be read."""


class Dataset(msgspec.Struct, frozen=True):
    """The dataset whose test side was answered."""

    name: str
    hash: str


class ScorerUsed(msgspec.Struct, frozen=True):
    """What measured the answers, and why that."""

    name: str
    reason: str


class JudgeUsed(msgspec.Struct, frozen=True, kw_only=True):
    """Who was asked, and what came of it."""

    upstream: str
    model: str
    rubric: str
    rubric_hash: str
    counts: Counts
    relatives: list[str] = []
    """Models of its own family among those that it judged."""
    calibration: Calibration | None = None


class SystemUsed(msgspec.Struct, frozen=True):
    """Who answered: the model that was asked for, and the training examples that it was shown."""

    name: str
    model: str | None = None
    shots: list[str] = []


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that the numbers of an evaluation depend on, and what was measured."""

    format_version: int = FORMAT_VERSION
    id: str
    key: str
    """Hash of what is evaluated, and how: the same again needs no run."""
    workload: str
    started: str
    finished: str
    dataset: Dataset
    adapter: str | None
    base_model: str
    format: str
    template_hash: str
    scorer: ScorerUsed
    truth: str
    """What most rows were compared with; each row says it of itself."""
    truths: dict[str, int]
    """Cases by what was held to be true."""
    cases: int
    """On the test side."""
    taken: int
    """Of these, evaluated."""
    prompts: list[str] | None = None
    """Fingerprints of those that have enough test examples: all that was evaluated, and all that an adapter may answer.
    Empty where there is none, and everything was evaluated; null in what was written before it was kept."""
    elsewhere: int = 0
    """Cases of other prompts."""
    systems: list[SystemUsed]
    settings: dict[str, Any]
    judge: JudgeUsed | None
    measured: dict[str, Measured]
    problems: dict[str, dict[str, int]]
    """By system, kind and number."""
    warnings: list[str]
    versions: dict[str, str]
    files: dict[str, str] = {}
    """SHA-256 by file."""


def evaluations_of(data: Path, workload: str) -> Path:
    """The folder of a workload's evaluations."""
    return data / "evaluations" / place_of(data, workload).name


def read_manifest(folder: Path) -> Manifest:
    """The manifest in an evaluation's folder."""
    remedy = "delete the folder, and evaluate again"
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise UnknownEvaluation(f"{folder / MANIFEST} cannot be read: {error}", remedy=remedy) from error
    if (manifest.id, manifest.dataset.name) != (folder.name, Path(manifest.dataset.name).name):
        raise UnknownEvaluation(f"{folder / MANIFEST} names what is not beside it: {manifest.id!r}", remedy=remedy)
    return manifest


def newest_manifest(data: Path, workload: str, adapter: str | None = None) -> Manifest | None:
    """Of the evaluation that finished last, or of the last one of an adapter."""
    return max(manifests_of(data, workload, adapter), key=lambda one: one.finished, default=None)


def manifests_of(data: Path, workload: str, adapter: str | None = None) -> list[Manifest]:
    """Of all evaluations, or of those of an adapter; what cannot be read is passed over."""
    found = []
    for path in evaluations_of(data, workload).glob(f"[!.]*/{MANIFEST}"):
        with suppress(UnknownEvaluation):
            found.append(read_manifest(path.parent))
    return [one for one in found if adapter in (None, one.adapter)]


def with_key(place: Path, key: str) -> Manifest | None:
    """The newest evaluation of just this."""
    found = [read_manifest(path.parent) for path in place.glob(f"[!.]*/{MANIFEST}")]
    return max((one for one in found if one.key == key), key=lambda one: one.finished, default=None)


@contextmanager
def only_run(place: Path) -> Iterator[None]:
    """One evaluation of a workload at a time: two would ask everything twice."""
    make_folder(place)
    with lock_at_once(place / "run.lock") as held:
        if not held:
            raise StoreBusy(f"another evaluation in {place} is running", remedy="wait until it has ended")
        yield


def is_whole(manifest: Manifest) -> bool:
    """Whether the judge was asked all there was to ask: neither its limit nor a failure came in between."""
    counts = manifest.judge.counts if manifest.judge else Counts()
    return not counts.over_budget and not counts.failed


def workplace(place: Path, key: str, *, anew: bool) -> Path:
    """Where a run keeps what it has; with what an earlier one had that was not whole, unless it is done ``anew``.

    What other runs have left is forgotten when nobody went on with it for a week.
    """
    own = place / _UNFINISHED / key
    for other in own.parent.glob("*"):
        if other != own and time.time() - other.stat().st_mtime > _FORGOTTEN_AFTER_S:
            shutil.rmtree(other, ignore_errors=True)
    if _left(own).exists() and not own.exists() and not anew:
        _left(own).rename(own)
    make_folder(own)
    os.utime(own)
    return own


def table_of(marks: Sequence[Mark]) -> pa.Table:
    """Marks as rows of ``rows.parquet``."""
    return pa.Table.from_pylist([msgspec.to_builtins(mark) for mark in marks], schema=SCHEMA)


@contextmanager
def rows_file(path: Path) -> Iterator[pq.ParquetWriter]:
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as file:
        yield file


def publish(place: Path, filled: Path, manifest: Manifest) -> Path:
    """Give a filled folder its name, once it is on the disk; the answers are kept only where the judge goes on."""
    target, own = place / manifest.id, place / _UNFINISHED / manifest.key
    publish_folder(filled, target)
    shutil.rmtree(_left(own), ignore_errors=True)
    if is_whole(manifest):
        shutil.rmtree(own, ignore_errors=True)
    else:
        own.rename(_left(own))
    return target


def _left(own: Path) -> Path:
    return own.with_name(f"{own.name}.left")
