"""An undecided student answers new traffic for the gate alone, until that decides; nothing learned is asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from cli.shadow import shadow as command
from distill.shadow.run import Shadowed, ShadowRefused, shadow
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import read_routing
from tests.distill.dataset.traffic import asked, file, says, user
from tests.distill.evaluate.school import SYSTEM, label_of, number_in
from tests.distill.judge.scripted_judge import ScriptedJudge, running_judge
from tests.distill.night.school import School, knows_all, knows_nothing
from tests.fake_replica import FakeReplica, running_replica

PROMOTE: dict[str, Any] = {"min_rows": 150, "shadow": 100}
"""More rows than the test side has."""


@pytest.fixture
def server() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica(knows_all)) as server:
        yield server


@pytest.fixture
def school(tmp_path: Path, server: FakeReplica) -> School:
    """With a student that is too little tested, and new mail."""
    school = School(tmp_path, server.url)
    school.mail(400)
    assert school.night(**PROMOTE) == "undecided"
    candidate = read_routing(tmp_path).students_of("w").candidate
    assert candidate is not None
    ready = ReplicaState(url=server.url, ready=True, adapters=(candidate.adapter,))
    write_replicas(tmp_path, ReplicaStates(replicas=(ready,)))
    school.mail(60, first=1000)
    return school


def passes(school: School, count: int, **promote: Any) -> list[Shadowed]:
    found = [shadow(school.config(**{**PROMOTE, **promote}), "w") for _ in range(count)]
    return [each for each in found if each is not None]


def test_new_rows_come_in_pass_by_pass_until_the_gate_promotes(school: School) -> None:
    told = passes(school, 5)

    assert [each.new for each in told[:2]] == [16, 16]
    assert told[-1].done is not None
    assert [(each.decision.verdict) for each in told[:-1]] == ["undecided"] * (len(told) - 1)
    students = read_routing(school.folder).students_of("w")
    assert [each.share for each in students.answering()] == [5.0]
    subjects = [json.loads(path.read_bytes())["subject"] for path in (school.folder / "decisions" / "w").glob("*.json")]
    assert [each["shadow"]["rows"] for each in subjects if "shadow" in each] == [told[-1].rows]
    assert passes(school, 1) == []


def test_a_bad_student_is_dropped(school: School, server: FakeReplica) -> None:
    server.rule = knows_nothing

    told = passes(school, 4)

    assert told[-1].decision.verdict == "reject"
    assert read_routing(school.folder).wanted() == ()


def test_what_the_engine_refuses_counts_for_nothing_as_in_the_evaluation(school: School, server: FakeReplica) -> None:
    server.refuse = lambda body: "maximum context length" if number_in(body["messages"][-1]["content"]) % 4 else None

    told = passes(school, 4)

    assert told[-1].rows == 60
    assert [each.decision.verdict for each in told] == ["undecided"] * 4
    kept = (school.folder / "shadows" / "w" / f"{told[0].adapter}.jsonl").read_bytes().splitlines()
    rows = [msgspec.json.decode(line)[1] for line in kept]
    assert {(row[2], row[4].split(":")[0]) for row in rows if row[4]} == {(None, "refused_by_engine")}
    assert [row[2] for row in rows if not row[4]] == [1.0] * 15


def test_where_a_judge_has_judged_the_evaluation_there_is_no_shadow_and_it_says_what_to_do(
    tmp_path: Path, server: FakeReplica, capsys: pytest.CaptureFixture[str]
) -> None:
    school = School(tmp_path, server.url)
    school.mail(400)
    with running_judge(ScriptedJudge()) as judge:
        school.judge = judge.base_url
        assert school.night(**PROMOTE) == "undecided"
    before = len(server.chats)

    with pytest.raises(ShadowRefused, match=r"judge-model had judged its evaluation(.|\n)*shadow: 0"):
        passes(school, 1)
    assert len(server.chats) == before
    config = tmp_path / "nightschool.yaml"
    config.write_text(json.dumps({**school.plain(**PROMOTE), "data": "."}))
    with pytest.raises(typer.Exit):
        command(config=config)
    said = capsys.readouterr()
    assert said.err.startswith("nightschool: w: ")
    assert said.out == ""


def test_nobody_is_asked_twice_and_nothing_that_was_learned(school: School, server: FakeReplica) -> None:
    file(
        school.folder,
        [
            asked(2000 + number, SYSTEM, user(f"please sort mail {number}"), answer=says(label_of(number)))
            for number in range(20)
        ],
    )
    before = len(server.chats)
    passes(school, 6, min_rows=5000)
    questions = [body["messages"][-1]["content"] for body in server.chats[before:]]

    assert len(questions) == len(set(questions))
    learned_again = [each for each in questions if int(each.rsplit(" ", 1)[1]) < 20]
    assert len(learned_again) < 20  # those of the test side, which it was never taught
    assert sum(int(each.rsplit(" ", 1)[1]) >= 1000 for each in questions) == 60


def test_questions_that_prove_nothing_stand_in_nobodys_way(school: School) -> None:
    """More of them than one pass asks, before all others."""
    file(
        school.folder,
        [
            asked(500 + number, SYSTEM, user(f"please sort mail {number}"), answer=says(label_of(number)))
            for number in range(100)
        ],
    )

    told = passes(school, 12, min_rows=5000)

    assert sum(each.new for each in told) >= 60  # the mail that is new
    assert told[-1].new == 0


def test_it_is_asked_only_with_prompts_that_it_was_tested_on(school: School, server: FakeReplica) -> None:
    """It would answer no others, so what it can do there says nothing of it."""
    before = len(server.chats)
    school.mail(60, first=3000, system=lambda number: {"role": "system", "content": "You file mail."})

    told = passes(school, 8, min_rows=5000)

    assert sum(each.new for each in told) == 60
    assert {body["messages"][0]["content"] for body in server.chats[before:]} == {SYSTEM["content"]}


@pytest.mark.parametrize("share", [0, 30])
def test_the_share_says_how_many(school: School, share: int) -> None:
    told = passes(school, 6, shadow=share, min_rows=5000)

    assert sum(each.new for each in told) == 0 if share == 0 else 8 <= sum(each.new for each in told) <= 30


def test_without_a_replica_that_holds_it_nothing_happens(school: School) -> None:
    write_replicas(school.folder, ReplicaStates())

    assert passes(school, 1) == []
