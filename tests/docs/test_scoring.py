"""Every example of docs/scoring.md is run, and every scorer and every kind of problem has its place there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.score.choose import scorer_named
from distill.score.scorer import INVALID_ANSWER, INVALID_REFERENCE, NOT_A_NUMBER, SCORER_FAILED, Question
from nightschool.config.evaluation import SCORERS
from tests.docs.documents import ROOT, blocks, headings

PAGE = ROOT / "docs" / "scoring.md"
EXAMPLES = [json.loads(block) for block in blocks(PAGE, "json")]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["scorer"])
def test_an_example_gives_the_score_that_it_shows(
    example: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own,) = blocks(PAGE, "python")
    (tmp_path / "my_scorers.py").write_text(own)
    monkeypatch.syspath_prepend(tmp_path)
    question = Question(messages=[], **example.get("question", {}))

    value, problem = scorer_named(example["scorer"])(question, example["answer"], example["reference"])

    assert value == pytest.approx(example["score"])
    assert problem == example.get("problem")


def test_every_scorer_has_a_heading_with_an_example_and_its_source() -> None:
    assert [name for name in SCORERS if name not in headings(PAGE)] == ["judge"], "which has a page of its own"
    assert {name for name in SCORERS if name != "judge"} <= {example["scorer"] for example in EXAMPLES}
    assert PAGE.read_text().count("\nSource: ") == len(SCORERS) - 1


@pytest.mark.parametrize("kind", [INVALID_ANSWER, INVALID_REFERENCE, SCORER_FAILED, NOT_A_NUMBER])
def test_every_kind_of_problem_is_explained(kind: str) -> None:
    assert f"| `{kind}` |" in PAGE.read_text()
