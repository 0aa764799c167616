"""A dossier comes out again to the digit, and a changed one is found out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.gate.criteria import Criteria
from distill.gate.decide import decide
from distill.gate.dossier import DossierError, hash_of, make_dossier, read_dossier, replay, write_dossier
from distill.gate.evidence import Evidence, Measured, Row
from tests.distill.gate.rows import evidence_of

DECIDED = datetime(2026, 11, 25, 2, 0, 0, tzinfo=UTC)
SCORE = st.none() | st.floats(0, 1)
ROWS = st.builds(
    Row,
    group=st.text(max_size=3),
    teacher=SCORE,
    student=SCORE,
    slices=st.lists(st.sampled_from(["a", "b", "novel"]), max_size=2).map(tuple),
    truth=st.sampled_from([None, "teacher", "label"]),
)


def kept(folder: Path, evidence: Evidence, criteria: Criteria) -> Path:
    decision = decide(evidence, criteria)
    return write_dossier(make_dossier({"workload": "triage"}, evidence, criteria, decision, DECIDED), folder)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, max_size=60), st.sampled_from(["parity", "beat"]), st.floats(0.01, 0.2))
def test_a_replay_equals_the_original(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], criterion: str, margin: float
) -> None:
    evidence = Evidence(tuple(rows), student=Measured(refusal_rate=0.1), teacher=Measured(refusal_rate=0.1))
    criteria = Criteria(criterion=criterion, margin=margin, min_rows=5)  # type: ignore[arg-type]  # one of the two

    dossier = read_dossier(kept(tmp_path_factory.mktemp("kept"), evidence, criteria))
    made = replay(dossier)

    assert made.differences == ()
    assert made.again == made.recorded == decide(evidence, criteria)


def test_it_holds_everything_that_was_decided_by(tmp_path: Path) -> None:
    evidence, criteria = evidence_of(wins=45, losses=45, ties=810), Criteria(margin=0.05)

    path = kept(tmp_path, evidence, criteria)
    content = json.loads(path.read_text())

    assert path.name == f"20261125T020000-{content['sha256'][:12]}.json"
    assert len(content["evidence"]["rows"]) == len(content["decision"]["path"]) == 900
    assert content["criteria"]["margin"] == 0.05
    assert content["order_seed"] == "nightschool gate 1"
    assert content["decision"]["verdict"] == "promote"
    assert set(content["versions"]) == {"nightschool", "numpy"}


@pytest.mark.parametrize("field", ["criteria", "subject", "evidence", "decision", "decided", "order_seed", "versions"])
def test_a_changed_dossier_is_refused(tmp_path: Path, field: str) -> None:
    path = kept(tmp_path, evidence_of(1, 1, 10), Criteria())
    content = json.loads(path.read_text())
    content[field] = "changed"
    path.write_text(json.dumps(content))

    with pytest.raises(DossierError, match="was changed after the decision"):
        read_dossier(path)


def test_one_that_was_changed_and_hashed_again_is_found_out_by_the_replay(tmp_path: Path) -> None:
    path = kept(tmp_path, evidence_of(wins=20, losses=20, ties=360), Criteria(margin=0.05))
    content = json.loads(path.read_text())
    content["decision"]["verdict"] = "promote"
    del content["sha256"]
    path.write_text(json.dumps({"sha256": hash_of(content), **content}))

    made = replay(read_dossier(path))

    assert made.differences == ("verdict",)
    assert made.again.verdict == "undecided"


def test_rewriting_it_with_other_white_space_changes_nothing(tmp_path: Path) -> None:
    path = kept(tmp_path, evidence_of(1, 1, 10), Criteria())
    path.write_text(json.dumps(json.loads(path.read_text()), indent=4))

    assert replay(read_dossier(path)).differences == ()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sha256": "0"}'])
def test_what_is_no_dossier_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(DossierError):
        read_dossier(tmp_path / "x.json")


def test_a_dossier_of_another_format_says_who_can_replay_it(tmp_path: Path) -> None:
    path = kept(tmp_path, evidence_of(1, 1, 10), Criteria())
    content = json.loads(path.read_text())
    content["format_version"] = 2
    del content["sha256"]
    path.write_text(json.dumps({"sha256": hash_of(content), **content}))

    with pytest.raises(DossierError, match="this version reads 1"):
        read_dossier(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DossierError, match=r"x\.json cannot be read"):
        read_dossier(tmp_path / "x.json")
