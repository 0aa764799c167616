"""The whole loop with a tiny model and a real vLLM: what `make demo-quick` leaves behind says what it has told."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from demo.engine import ROOT, why_missing
from demo.loop.config import WORKLOAD
from demo.loop.place import place_named
from demo.loop.scale import QUICK
from nightschool.registry.change import read_history
from nightschool.registry.routing import read_routing
from tests.running import rows

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(why_missing() is not None, reason=why_missing() or ""),
]


def test_a_student_learns_takes_over_is_harmed_and_gives_way_and_the_app_notices_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "demo.loop.run", "--quick", "--again"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

    place = place_named(QUICK.name)
    told = json.loads((place.folder / "done.json").read_text())
    assert list(told) == ["record", "night", "ramp", "live", "harm"]
    assert told["night"]["outcome"] == "promoted"
    good, worse = told["ramp"]["adapter"], told["harm"]["adapter"]
    made = [(change.author, change.action) for change in read_history(place.data, WORKLOAD)]
    assert made[:4] == [
        ("job:night", "propose"),
        ("job:night", "qualify"),
        ("job:night", "promote"),
        ("job:audit", "ramp"),
    ]
    assert made[-1] == ("job:audit", "rollback")
    students = read_routing(place.data).students_of(WORKLOAD)
    assert ([each.adapter for each in students.answering()], students.withdrawn) == ([good], (worse,))
    answered = rows(
        place.data,
        "SELECT reason, count(*) AS n, count(*) FILTER (status = 200 AND complete) AS well FROM exchanges GROUP BY 1",
    )
    by_reason = {row["reason"]: row["n"] for row in answered}
    assert all(row["n"] == row["well"] for row in answered)
    assert by_reason["rule"] == QUICK.texts["day"]
    assert by_reason["live"] >= QUICK.texts["live"]
    assert by_reason["audit"] > 0
    assert "withdrawn by the audit" in place.report.read_text()


def test_the_app_is_short_and_knows_nothing_of_us() -> None:
    text = (ROOT / "demo" / "redact.py").read_text()

    assert len(text.splitlines()) < 30
    assert "nightschool" not in text
