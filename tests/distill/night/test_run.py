"""A night comes to the right end by itself, is run again without doing anything twice, and takes nobody by surprise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
import yaml

from cli.main import main
from distill.gate.pairs import newest_evaluation
from distill.night.ready import replicas_with
from distill.night.report import reports_of
from distill.night.standing import only_night
from nightschool.engine.replica import ReplicaError
from nightschool.errors import StoreBusy
from nightschool.registry.adapters import adapters_of
from nightschool.registry.change import change_students, read_history
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Measure, read_routing
from nightschool.registry.steps import hold, roll_back
from tests.distill.judge.scripted_judge import ScriptedJudge, running_judge
from tests.distill.night.school import School, knows_all, knows_nothing
from tests.fake_replica import FakeReplica


def main_returns(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0


NOW = "2026-11-25T00:00:00+00:00"


def test_a_good_student_answers_the_first_share_with_what_the_audit_needs_to_know(school: School) -> None:
    assert school.night() == "promoted"

    canary = read_routing(school.folder).students_of("w").canary
    assert canary is not None
    assert (canary.share, canary.agreement, len(canary.fingerprints)) == (5.0, 1.0, 1)
    assert canary.measure == Measure(scorer="label")
    assert [(change.author, change.action) for change in read_history(school.folder)] == [
        ("job:night", "propose"),
        ("job:night", "qualify"),
        ("job:night", "promote"),
    ]
    (report,) = reports_of(school.folder, "w")
    assert (report.outcome, report.adapter) == ("promoted", canary.adapter)
    assert json.loads((school.folder / str(report.dossier)).read_bytes())["decision"]["verdict"] == "promote"
    assert not (school.folder / "nights" / "w.json").exists()


def test_a_ramp_that_begins_at_100_makes_it_live(school: School) -> None:
    school.night(ramp=[100])

    assert read_routing(school.folder).students_of("w").stage == "live"


def test_a_bad_student_answers_nobody_and_replicas_need_not_hold_it(school: School, server: FakeReplica) -> None:
    server.rule = knows_nothing

    assert school.night() == "rejected"
    assert read_routing(school.folder).wanted() == ()


def test_one_that_may_be_good_is_undecided_and_stays_only_for_a_shadow(school: School) -> None:
    assert school.night(min_rows=5000) == "undecided"
    assert read_routing(school.folder).wanted() == ()

    assert school.night(min_rows=5000, shadow=5, again=True) == "undecided"
    assert read_routing(school.folder).students_of("w").stage == "evaluating"


def test_one_that_is_forced_although_undecided_is_held_to_what_was_measured_of_it(school: School) -> None:
    school.night(min_rows=5000)
    (report,) = reports_of(school.folder, "w")
    assert report.adapter is not None
    file = school.folder / "nightschool.yaml"
    file.write_text(yaml.safe_dump(school.plain()))

    main_returns(["promote", "w", "--adapter", report.adapter, "--force", "--config", str(file)])

    live = read_routing(school.folder).students_of("w").live
    assert live is not None
    assert (live.adapter, live.agreement) == (report.adapter, 1.0)


def test_by_hand_it_waits_qualified(school: School) -> None:
    assert school.night(mode="manual") == "qualified"
    assert (school.answering, read_routing(school.folder).students_of("w").stage) == ([], "qualified")


def test_a_workload_that_is_held_gets_no_new_student(school: School) -> None:
    change_students(school.folder, "w", hold, author="t", action="hold", reason="release week")

    assert school.night() == "held"
    assert school.answering == []


def test_what_was_rolled_back_is_not_brought_back(school: School) -> None:
    school.night()
    change_students(
        school.folder, "w", lambda before: roll_back(before, now=NOW), author="t", action="rollback", reason="t"
    )

    assert school.night(again=True) == "withdrawn"
    assert school.answering == []


def test_without_enough_traffic_nothing_is_trained(tmp_path: Path, server: FakeReplica) -> None:
    school = School(tmp_path, server.url)
    school.mail(20)

    assert school.night() == "too_few"
    assert (school.trained, reports_of(tmp_path, "w")[0].outcome) == (0, "too_few")


def test_with_little_new_traffic_nothing_is_trained_and_with_more_it_is(school: School) -> None:
    school.night()
    school.mail(3, first=400)

    assert (school.night(), school.trained) == ("nothing_new", 1)

    school.mail(60, first=500)

    assert (school.night(), school.trained) == ("qualified", 2)
    assert len(school.answering) == 1


def test_killed_after_any_stage_it_goes_on_and_does_nothing_twice(school: School, server: FakeReplica) -> None:
    class Killed(BaseException):
        """As kill -9: nothing after it runs."""

    def dies(dataset: str) -> str:
        school.train(dataset)
        raise Killed

    with pytest.raises(Killed):
        school.night(train=dies)
    server.fail_next = 10_000
    with pytest.raises(ReplicaError):
        school.night()
    server.fail_next = 0

    assert school.night() == "promoted"
    assert len(adapters_of(school.folder, "w")) == 1
    asked_in_all = len(server.chats)

    school.night(again=True)
    assert len(server.chats) == asked_in_all


class JudgedSchool(School):
    """Whose students a judge compares with their teacher."""

    judge_url = ""
    max_calls = 5_000

    def plain(self, **promote: Any) -> dict[str, Any]:
        told = super().plain(**promote)
        told["upstreams"]["judge"] = {"base_url": self.judge_url}
        told["default_upstream"] = "teacher"
        told["workloads"]["w"]["evaluate"] = {
            "few_shot": 0,
            "judge": {"upstream": "judge", "model": "judge-model", "max_calls": self.max_calls},
        }
        return told


def test_a_night_again_goes_on_with_what_the_limit_on_the_judge_had_left(server: FakeReplica, tmp_path: Path) -> None:
    server.rule = lambda model, messages: f"{knows_all(model, messages)}, of course"
    school = JudgedSchool(tmp_path, server.url)
    school.mail(400)
    with running_judge(ScriptedJudge()) as judge:
        school.judge_url, school.max_calls = judge.base_url, 5
        assert school.night() == "undecided"
        answered = len(server.chats)
        school.max_calls = 5_000

        assert school.night(again=True) == "promoted"

    before, after = reports_of(tmp_path, "w")
    assert "judge_budget" in before.told
    assert (before.adapter, before.evaluation != after.evaluation) == (after.adapter, True)
    assert len(server.chats) == answered
    assert set(judge.questions.values()) == {1}
    decision = json.loads((tmp_path / str(after.dossier)).read_bytes())["decision"]
    assert decision["rows"] == len(newest_evaluation(tmp_path, "w").evidence.rows)


def test_only_one_night_of_a_workload_runs(school: School) -> None:
    with only_night(school.folder, "w"), pytest.raises(StoreBusy, match="a night of w is running already"):
        school.night()


def test_where_a_serve_process_looks_after_the_replicas_it_waits_for_the_adapter(school: School) -> None:
    def train(dataset: str) -> str:
        name = school.train(dataset)
        write_replicas(school.folder, _now(ReplicaState(url=school.url, ready=True, adapters=(name,))))
        return name

    assert school.night(train=train) == "promoted"

    def refused(dataset: str) -> str:
        name = school.train(dataset)
        broken = ReplicaState(url=school.url, ready=True, faults={name: "its rank is too great"})
        write_replicas(school.folder, _now(broken))
        return name

    school.mail(60, first=500)
    with pytest.raises(ReplicaError, match=r"no replica takes w--\w+: its rank is too great"):
        school.night(train=refused)


def test_a_slow_warm_up_does_not_end_the_night_while_it_may_wait(school: School) -> None:
    """What only a fault that stays does; the serve process tries again by itself."""
    slow = ReplicaState(url=school.url, ready=True, faults={"a": "gave no answer in time"}, passing=("a",))
    write_replicas(school.folder, _now(slow))

    with pytest.raises(ReplicaError, match="no replica was ready with a within 0 s: gave no answer in time"):
        replicas_with(school.folder, "a", patience_s=0, say=lambda line: None)

    warm = _now(ReplicaState(url=school.url, ready=True, adapters=("a",)))
    tried_again = Timer(0.3, write_replicas, (school.folder, warm))
    tried_again.start()
    assert replicas_with(school.folder, "a", patience_s=60, say=lambda line: None) == [school.url]
    tried_again.join()


def test_a_replica_that_never_gets_ready_is_told_with_its_reason(school: School) -> None:
    write_replicas(school.folder, _now(ReplicaState(url=school.url, ready=False, why="another base model")))

    with pytest.raises(ReplicaError, match="no replica was ready with a within 0 s: another base model"):
        replicas_with(school.folder, "a", patience_s=0, say=lambda line: None)


def _now(*states: ReplicaState) -> ReplicaStates:
    return ReplicaStates(time=datetime.now(UTC).isoformat(), replicas=states)
