from __future__ import annotations

from pathlib import Path

import pytest

from distill.gate.criteria import Criteria
from distill.gate.decide import decide
from distill.gate.evidence import EvidenceError, Row
from distill.gate.pairs_file import read_pairs


def written(folder: Path, text: str) -> Path:
    file = folder / "pairs.csv"
    file.write_text(text)
    return file


def test_lines_are_rows(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeffgroup, teacher,student,slice\na,1,0.5,tool:x; novel\n\nb,0,1e-3,\n")

    assert read_pairs(file).rows == (
        Row(group="a", teacher=1.0, student=0.5, slices=("tool:x", "novel")),
        Row(group="b", teacher=0.0, student=0.001),
    )


def test_columns_may_stand_in_any_order_and_beside_others(tmp_path: Path) -> None:
    file = written(tmp_path, "id,student,teacher,group\n7,1,0,a\n")

    assert read_pairs(file).rows == (Row(group="a", teacher=0.0, student=1.0),)


@pytest.mark.parametrize(("cell", "problem"), [("", "no_score"), (" ", "no_score"), ("NaN", "not_a_number")])
def test_a_missing_score_is_counted(tmp_path: Path, cell: str, problem: str) -> None:
    evidence = read_pairs(written(tmp_path, f"group,teacher,student\na,1,{cell}\n"))

    decision = decide(evidence, Criteria())

    assert decision.unscored == {problem: 1}
    assert decision.verdict == "undecided"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column group and no column teacher"),
        ("group,teacher\na,1\n", "has no column student"),
        ("group,teacher,student,teacher\na,1,1,1\n", "has a column twice"),
        ("group,teacher,student\na,1,97\n", "line 2, student: 97 is no score from 0 to 1"),
        ("group,teacher,student\na,1,1\nb,-0.5,1\n", "line 3, teacher: -0.5 is no score"),
        ("group,teacher,student\na,1,inf\n", "line 2, student: inf is no score"),
        ("group,teacher,student\na,1,good\n", "line 2, student: 'good' is no number"),
        ("group,teacher,student\n,1,1\n", "line 2: the group is empty"),
        ("group,teacher,student\na,1\n", "line 2: it has more or fewer cells"),
        ("group,teacher,student\na,1,1,1\n", "line 2: it has more or fewer cells"),
        ('group,teacher,student\n"a,1,1\n', "is no CSV file"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(EvidenceError, match=said):
        read_pairs(written(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_bytes(b"group,teacher,student\n\xff\xfe,1,1\n")

    with pytest.raises(EvidenceError, match="no CSV file in UTF-8"):
        read_pairs(tmp_path / "pairs.csv")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"nothing\.csv cannot be read"):
        read_pairs(tmp_path / "nothing.csv")


def test_a_file_without_lines_has_nothing_to_decide(tmp_path: Path) -> None:
    evidence = read_pairs(written(tmp_path, "group,teacher,student\n"))

    assert decide(evidence, Criteria()).reasons == ("there are no rows",)
