"""`nightschool audit`, as a person and as a script see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nightschool.registry.change import change_students
from nightschool.registry.routing import Measure, Placed, Students, read_routing
from tests.cli.command import Command
from tests.distill.audit.teacher import Teacher, running_teacher
from tests.distill.dataset.traffic import asked, file, says, user

ADAPTER = "w--aaaaaaaaaaaa"
BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def teacher() -> Iterator[Teacher]:
    with running_teacher(lambda body: says("parcel")) as teacher:
        yield teacher


@pytest.fixture
def data(tmp_path: Path, teacher: Teacher) -> Path:
    """Two workloads; the student of ``w`` has given ten answers, two of them not its teacher's."""
    promote = {"step_audits": 10, "ramp": [5, 25, 100], "margin": 0.2}
    config = {
        "data": "./data",
        "upstreams": {"main": {"base_url": teacher.url}},
        "prices": {"m": {"input": 10, "output": 40}},
        "workloads": {
            "w": {"when": {"tool": "sort"}, "promote": promote, "evaluate": {"scorer": "label"}},
            "quiet": {"when": {"tool": "rest"}},
        },
    }
    (tmp_path / "nightschool.yaml").write_text(json.dumps(config))
    folder = tmp_path / "data"
    student: dict[str, Any] = {"target": "student", "adapter": ADAPTER, "reason": "canary"}
    begin_us = int(BEGIN.timestamp() * 1e6)
    file(
        folder,
        [
            asked(
                number,
                user(f"mail {number}"),
                answer=says("parcel" if number > 1 else "bill"),
                time_us=begin_us + (number + 1) * 1_000_000,
                **student,
            )
            for number in range(10)
        ],
    )
    placed = Placed(
        adapter=ADAPTER,
        share=5,
        fingerprints=("f",),
        agreement=0.9,
        measure=Measure(scorer="label"),
        since=BEGIN.isoformat(),
    )
    change_students(folder, "w", lambda before: Students(canary=placed), author="t", action="t", reason="t", now=BEGIN)
    return folder


def test_a_line_says_who_at_which_share_with_what_evidence_and_what_was_done(nightschool: Command, data: Path) -> None:
    done = nightschool("audit")

    assert done.code == 0, done.err
    first, second = done.out.splitlines()
    told = f"w  {ADAPTER} at 5 %: 10 answers compared; 10 conversations in all, agreement 0.800 (0.700 is tolerated"
    assert first.startswith(told)
    assert first.endswith(" of 10,000)"), first
    assert second == "  agreement 0.800 in 10 audited conversations at 5 %, 0.700 is asked for; now at 25 %"
    assert [each.share for each in read_routing(data).students_of("w").answering()] == [25]


def test_a_script_gets_an_object_for_each_student(nightschool: Command, data: Path) -> None:
    done = nightschool("audit", "w", "--json")

    (told,) = json.loads(done.out)
    assert (told["workload"], told["adapter"], told["share"], told["new"]) == ("w", ADAPTER, 5.0, 10)
    assert told["verdict"]["agreement"] == pytest.approx(0.8)
    assert told["verdict"]["bar"] == pytest.approx(0.7)
    assert told["verdict"]["advice"] == "widen"
    assert told["failure"] is None


def test_where_nobody_answers_it_says_so(nightschool: Command, data: Path) -> None:
    done = nightschool("audit", "quiet")

    assert (done.code, done.out) == (0, "no student answers\n")
    assert json.loads(nightschool("audit", "quiet", "--json").out) == []


def test_an_unknown_workload_is_refused(nightschool: Command, data: Path) -> None:
    done = nightschool("audit", "ww")

    assert done.code == 1
    assert "no workload is called 'ww'" in done.err


def test_a_teacher_that_wants_a_key_is_a_problem_that_is_explained_beside_what_is_known(
    nightschool: Command, data: Path, teacher: Teacher
) -> None:
    teacher.status = 401

    done = nightschool("audit")

    assert done.code == 1
    assert "nightschool: w: the teacher of w, upstream 'main', cannot be asked: status 401" in done.err
    assert "api_key" in done.err
    assert f"w  {ADAPTER} at 5 %: 0 answers compared" in done.out
