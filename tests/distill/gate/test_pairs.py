"""From the files of an evaluation to evidence."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from distill.gate.criteria import Criteria
from distill.gate.decide import decide
from distill.gate.evidence import EvidenceError, Measured, Row
from distill.gate.pairs import newest_evaluation
from tests.distill.gate.evaluations import answer, answers, write_evaluation


def test_answers_of_student_and_teacher_are_paired_by_example(tmp_path: Path) -> None:
    rows = [
        answer("a", "teacher", 1.0, slices=["tool:x"], truth="label"),
        answer("a", "student", 0.5, slices=["tool:x", "novel"]),
        answer("a", "live", 0.7),
        answer("b", "student", 0.0, problem="invalid_answer: no JSON"),
        answer("b", "teacher", 1.0),
        answer("c", "student", 0.0, problem="truncated"),
        answer("c", "teacher", 1.0),
    ]
    write_evaluation(tmp_path, rows, truth="teacher", measured={"student": {"p95_latency_ms": 80.0, "other": 1}})

    evidence = newest_evaluation(tmp_path, "triage").evidence

    assert evidence.rows == (
        Row(group="g-a", teacher=1.0, student=0.5, slices=("novel", "tool:x"), truth="label"),
        Row(group="g-b", teacher=1.0, student=0.0, truth="teacher"),
        Row(group="g-c", teacher=1.0, student=0.0, truth="teacher"),
    )
    assert (evidence.student, evidence.teacher) == (Measured(p95_latency_ms=80.0), Measured())


@pytest.mark.parametrize(
    ("score", "problem", "counted"),
    [
        (None, None, "no_score"),
        (None, "judge_failed: 429", "judge_failed"),
        (0.0, "scorer_failed: ZeroDivisionError", "scorer_failed"),
        (1.0, "invalid_reference: no JSON", "invalid_reference"),
        (math.nan, None, "not_a_score"),
        (1.5, None, "not_a_score"),
    ],
)
def test_a_score_that_measures_nothing_counts_for_nothing(
    tmp_path: Path, score: float | None, problem: str | None, counted: str
) -> None:
    rows = [*answers([(1.0, 1.0)] * 400), answer("x", "teacher", 1.0), answer("x", "student", score, problem=problem)]
    write_evaluation(tmp_path, rows)

    decision = decide(newest_evaluation(tmp_path, "triage").evidence, Criteria())

    assert decision.unscored == {counted: 1}
    assert (decision.rows, decision.mean_difference) == (400, 0)


def test_where_nobody_says_what_is_true_nobody_beats_the_teacher(tmp_path: Path) -> None:
    write_evaluation(tmp_path, answers([(0.0, 1.0)] * 400))

    decision = decide(newest_evaluation(tmp_path, "triage").evidence, Criteria(criterion="beat"))

    assert (decision.verdict, decision.set_aside) == ("undecided", 400)


def test_an_example_that_one_side_lacks_is_counted(tmp_path: Path) -> None:
    write_evaluation(tmp_path, [*answers([(1.0, 1.0)]), answer("x", "teacher", 1.0), answer("y", "student", 1.0)])

    decision = decide(newest_evaluation(tmp_path, "triage").evidence, Criteria())

    assert decision.unscored == {"no_student": 1, "no_teacher": 1}


def test_the_newest_evaluation_is_taken_or_the_one_that_is_named(tmp_path: Path) -> None:
    write_evaluation(tmp_path, answers([(1.0, 1.0)]), "new", finished="2026-11-25T02:00:00Z")
    write_evaluation(tmp_path, answers([(1.0, 0.0)]), "old", finished="2026-11-24T02:00:00Z")

    assert newest_evaluation(tmp_path, "triage").folder.name == "new"
    assert newest_evaluation(tmp_path, "triage", "ol").folder.name == "old"
    with pytest.raises(EvidenceError, match="no evaluation 'older' of triage"):
        newest_evaluation(tmp_path, "triage", "older")


def test_no_evaluation_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="nightschool evaluate triage"):
        newest_evaluation(tmp_path, "triage")


def test_an_evaluation_without_a_student_is_refused(tmp_path: Path) -> None:
    write_evaluation(tmp_path, [answer("a", "teacher", 1.0), answer("a", "base", 0.2)])

    with pytest.raises(EvidenceError, match="no answers of a student"):
        newest_evaluation(tmp_path, "triage")


def test_an_answer_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_evaluation(tmp_path, [*answers([(1.0, 1.0)]), answer("0", "student", 0.0)])

    with pytest.raises(EvidenceError, match="student answers example '0' twice"):
        newest_evaluation(tmp_path, "triage")


@pytest.mark.parametrize("file", ["rows.parquet", "manifest.json"])
@pytest.mark.parametrize("content", [None, b"", b"{", b"PAR1"])
def test_files_that_are_broken_or_missing_are_named(tmp_path: Path, file: str, content: bytes | None) -> None:
    folder = write_evaluation(tmp_path, answers([(1.0, 1.0)]))
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)

    with pytest.raises(EvidenceError, match="no evaluation" if (file, content) == ("manifest.json", None) else file):
        newest_evaluation(tmp_path, "triage")
