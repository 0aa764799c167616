"""Where spans are is what the configuration says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from distill.gate.pairs import newest_evaluation
from tests.distill.dataset.traffic import asked, built, file, says, user
from tests.distill.evaluate.school import SETTINGS, SYSTEM, evaluated
from tests.fake_replica import FakeReplica, running_replica


def found(seen: str) -> str:
    return json.dumps({"seen": [{"quote": seen, "reason": "x"}], "found": [{"quote": "Ann", "reason": "name"}]})


def answers(model: str, messages: list[dict[str, Any]]) -> str:
    """Right in what was found, wrong in what was only seen."""
    return found("zzz")


def test_the_configuration_says_which_list_counts(tmp_path: Path) -> None:
    records = [asked(n, SYSTEM, user(f"look at mail {n}"), answer=says(found(f"mail {n}"))) for n in range(60)]
    file(tmp_path, records)
    built(tmp_path, SETTINGS)

    with running_replica(FakeReplica(answers)) as replica:
        evaluated(tmp_path, replica.url, scorer="spans", few_shot=0)
        everything = newest_evaluation(tmp_path, "w").evidence.rows
        evaluated(tmp_path, replica.url, scorer="spans", spans={"list": "found"}, few_shot=0)
        named = newest_evaluation(tmp_path, "w").evidence.rows

    assert {row.student for row in named} == {1.0}
    assert all(0.5 <= (row.student or 0) < 1 for row in everything)
