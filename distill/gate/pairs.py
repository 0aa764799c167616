"""The newest evaluation of a workload -> evidence.

    data/evaluations/<workload>/<id>/  rows.parquet  manifest.json

A row is one answer of one system: ``group``, ``example``, ``system`` (base, few_shot, student, live, teacher),
``score``, ``problem``, ``slices``, and where it is known ``truth`` (label, verifier, judge, teacher). The manifest says
when it was ``finished``, what the ``truth`` of all rows is where they do not say it, and under ``measured`` by system
what was measured besides: the fields of ``Measured``. Where nobody says what is true, it is the teacher's own answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from distill.dataset.snapshot import place_of
from distill.gate.evidence import TEACHER_ITSELF, Evidence, EvidenceError, Measured, Row
from distill.score.scorer import is_measurement

ROWS = "rows.parquet"
MANIFEST = "manifest.json"
_COLUMNS = ("group", "example", "system", "score", "problem", "slices", "truth")
_NEEDED = ("group", "example", "system", "score")


class _Manifest(msgspec.Struct, frozen=True):
    """Of a manifest what the gate reads; the rest is kept in the dossier as it is."""

    finished: str = ""
    truth: str | None = None
    measured: dict[str, Measured] = {}


class Evaluation(NamedTuple):
    """Evidence, and where it comes from."""

    folder: Path
    manifest: dict[str, Any]
    evidence: Evidence

    def subject(self, workload: str) -> dict[str, Any]:
        """For the dossier of a decision by it."""
        return {"workload": workload, "evaluation": self.folder.name, "manifest": self.manifest}


def evaluations_of(data: Path, workload: str) -> Path:
    """The folder of a workload's evaluations."""
    return data / "evaluations" / place_of(data, workload).name


def newest_evaluation(data: Path, workload: str, name: str | None = None) -> Evaluation:
    """The evaluation that finished last, or the one whose id is (or begins with) ``name``."""
    place = evaluations_of(data, workload)
    found = [
        path.parent for path in place.glob(f"[!.]*/{MANIFEST}") if name is None or path.parent.name.startswith(name)
    ]
    if not found:
        raise EvidenceError(
            f"there is no evaluation {name!r} of {workload}" if name else f"there is no evaluation of {workload}",
            remedy=f"`nightschool evaluate {workload}` makes one",
        )
    newest = max(found, key=lambda folder: (_read(folder)[0].finished, (folder / MANIFEST).stat().st_mtime_ns))
    return read_evaluation(newest)


def read_evaluation(folder: Path) -> Evaluation:
    """Raises EvidenceError for what is no evaluation, or an unfinished one."""
    manifest, whole = _read(folder)
    answers = _answers(folder / ROWS)
    rows = _rows(folder, answers, manifest.truth)
    measured = manifest.measured
    evidence = Evidence(
        rows=rows, student=measured.get("student", Measured()), teacher=measured.get("teacher", Measured())
    )
    return Evaluation(folder, whole, evidence)


def _read(folder: Path) -> tuple[_Manifest, dict[str, Any]]:
    try:
        text = (folder / MANIFEST).read_bytes()
        return msgspec.json.decode(text, type=_Manifest), msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, OSError) as error:
        raise _broken(folder / MANIFEST, error) from error


def _answers(path: Path) -> list[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            known = file.schema_arrow.names
            if missing := [name for name in _NEEDED if name not in known]:
                raise _broken(path, f"it has no column {missing[0]}")
            return file.read(columns=[name for name in _COLUMNS if name in known]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise _broken(path, error) from error


def _rows(folder: Path, answers: list[dict[str, Any]], truth: str | None) -> tuple[Row, ...]:
    """One per example that the student or the teacher was asked, in the order of the file."""
    examples: dict[str, dict[str, dict[str, Any]]] = {}
    for answer in answers:
        if answer["system"] not in ("student", "teacher"):
            continue
        systems = examples.setdefault(answer["example"], {})
        if systems.setdefault(answer["system"], answer) is not answer:
            raise _broken(folder / ROWS, f"{answer['system']} answers example {answer['example']!r} twice")
    if not any("student" in systems for systems in examples.values()):
        raise EvidenceError(
            f"the evaluation {folder} has no answers of a student", remedy="evaluate with an adapter: --adapter A"
        )
    return tuple(row_of(systems, truth) for systems in examples.values())


def row_of(systems: Mapping[str, Mapping[str, Any]], truth: str | None) -> Row:
    """Of one example: by system, its marks. ``truth``: of marks that do not say it of themselves."""
    some = next(iter(systems.values()))
    teacher, student = (_score(systems.get(name), name) for name in ("teacher", "student"))
    names = sorted({name for answer in systems.values() for name in answer.get("slices") or ()})
    return Row(
        group=some["group"],
        teacher=teacher[0],
        student=student[0],
        slices=tuple(names),
        problem=teacher[1] or student[1],
        truth=some.get("truth") or truth or TEACHER_ITSELF,
    )


def _score(answer: Mapping[str, Any] | None, system: str) -> tuple[float | None, str | None]:
    """The score and no problem, or no score and the problem: a score that is no measurement is none."""
    if answer is None:
        return None, f"no_{system}"
    score, problem = answer["score"], answer.get("problem")
    if score is None or not is_measurement(problem):
        return None, problem or "no_score"
    return (score, None) if 0 <= score <= 1 else (None, "not_a_score")


def _broken(path: Path, what: object) -> EvidenceError:
    return EvidenceError(f"{path} cannot be used: {what}", remedy="delete the folder, and evaluate again")
