"""Students are compared with their teacher, go up while they do well, and are withdrawn when they do not."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from distill.audit.audited import audited_of, file_of
from distill.audit.bar import Bar, NoBar, bar_of
from distill.audit.run import Watched, audit
from nightschool.config import Config, Evaluate, Promote
from nightschool.registry.change import change_students, read_history
from nightschool.registry.routing import Candidate, Measure, Placed, Students, read_routing
from nightschool.registry.steps import force, hold, roll_back
from tests.distill.audit.teacher import Json, Teacher, running_teacher
from tests.distill.dataset.traffic import FEW, asked, built, file, rows, says, user
from tests.distill.evaluate.school import ADAPTER, evaluated, label_of, number_in, sorted_mail
from tests.fake_replica import FakeReplica, running_replica
from tests.waiting import until

ROOT = Path(__file__).parents[3]
GOOD, OTHER = "w--aaaaaaaaaaaa", "w--bbbbbbbbbbbb"
BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)
BY_LABEL, BY_EQUALITY = Measure(scorer="label"), Measure(scorer="exact")


def knows_all(body: Json) -> Json:
    return says(label_of(number_in(body["messages"][-1]["content"])))


@pytest.fixture
def teacher() -> Iterator[Teacher]:
    with running_teacher(knows_all) as teacher:
        yield teacher


def stops_after(answers: int) -> Callable[[Json], Json]:
    """It answers so many questions, and is then silent for longer than anybody waits."""
    turns = itertools.count()
    silent = threading.Event()

    def rule(body: Json) -> Json:
        if next(turns) >= answers:
            silent.wait(5)
        return knows_all(body)

    return rule


@contextmanager
def killed_audit(town: Town) -> Iterator[None]:
    """A pass in a process of its own, killed at the end of the block."""
    config = town.data / "nightschool.yaml"
    told = town.told()
    told["upstreams"]["main"]["api_key"] = "${TEACHER_KEY}"
    config.write_text(json.dumps(told))
    arguments = ["audit", "w", "--config", str(config)]
    code = f"from cli.main import main; main({arguments!r})"
    environment = {**os.environ, "TEACHER_KEY": "sk-own"}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment) as process:
        try:
            yield
        finally:
            process.kill()


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def a_placed(adapter: str, **told: Any) -> Placed:
    """Live, if nothing else is said."""
    usual = {"share": 100.0, "fingerprints": ("f",), "agreement": 0.95, "measure": BY_LABEL, "since": BEGIN.isoformat()}
    return Placed(adapter=adapter, **{**usual, **told})


class Town:
    """A workload, its students, and the mail that they sort."""

    def __init__(self, folder: Path, teacher: Teacher) -> None:
        self.data, self.teacher, self.sent = folder, teacher, 0

    def config(self, **promote: Any) -> Config:
        return Config.model_validate(self.told(**promote))

    def told(self, **promote: Any) -> dict[str, Any]:
        rules = {"step_audits": 10, "ramp": [5, 25, 100], "margin": 0.1, **promote}
        return {
            "data": str(self.data),
            "upstreams": {"main": {"base_url": self.teacher.url, "api_key": "sk-own"}},
            "prices": {"m": {"input": 10, "output": 40}},
            "workloads": {"w": {"when": {"path": "*"}, "promote": rules, "evaluate": {"scorer": "label"}}},
        }

    def canary(self, adapter: str = GOOD, **told: Any) -> None:
        canary = a_placed(adapter, **{"share": 5.0, **told})
        self.change(lambda before: Students(canary=canary, live=before.live), now=BEGIN)

    def live(self, adapter: str = GOOD, **told: Any) -> None:
        self.change(lambda before: Students(live=a_placed(adapter, **told), canary=before.canary), now=BEGIN)

    def change(self, step: Any, *, now: datetime | None = None) -> None:
        change_students(self.data, "w", step, author="test", action="test", reason="test", now=now)

    def mail(self, count: int, adapter: str | None = GOOD, *, wrong: int = 0, **told: Any) -> None:
        """Sorted by a student, from now on a second apart; the last ones wrongly."""
        records = []
        for number in range(self.sent, self.sent + count):
            answer = label_of(number + (number >= self.sent + count - wrong))
            columns = {"target": "student", "adapter": adapter, "reason": "canary", **told}
            time_us = int((datetime.now(UTC) + timedelta(seconds=number)).timestamp() * 1e6)
            records.append(
                asked(number, user(f"please sort mail {number}"), answer=says(answer), time_us=time_us, **columns)
            )
        self.sent += count
        file(self.data, records)

    def fails(self, count: int, adapter: str | None = GOOD) -> None:
        """A student's answers cannot be used, and the teacher answers."""
        self.mail(count, None, target="teacher", reason="fallback_invalid", failed_adapter=adapter)

    def fails_openly(self, count: int, adapter: str = GOOD) -> None:
        """A student's answers cannot be used, and the clients have to be told."""
        self.mail(count, adapter, status=502, complete=False, error_type="invalid_output", response=None)

    def audit(self, **promote: Any) -> Watched:
        (watched,) = audit(self.config(**promote), "w")
        return watched

    @property
    def students(self) -> Students:
        return read_routing(self.data).students_of("w")


@pytest.fixture
def town(tmp_path: Path, teacher: Teacher) -> Town:
    return Town(tmp_path, teacher)


def test_a_good_canary_goes_up_share_by_share_until_it_is_live(town: Town) -> None:
    town.canary()
    shares = []
    for _ in range(3):
        town.mail(12)
        watched = town.audit()
        shares.append([each.share for each in town.students.answering()])

    assert shares == [[25.0], [100.0], [100.0]]
    assert town.students.stage == "live"
    assert watched.verdict.agreement == 1.0
    reasons = [change.reason for change in read_history(town.data, "w") if change.action == "ramp"]
    assert reasons[0] == "agreement 1.000 in 10 audited conversations at 5 %, 0.850 is asked for"


def test_with_fewer_answers_than_a_step_needs_it_stays_and_says_how_many_are_missing(town: Town) -> None:
    town.canary()
    town.mail(4)

    watched = town.audit()

    assert (watched.new, watched.done) == (4, None)
    assert watched.verdict.why == "4 of 10 conversations audited at 5 %"


def test_no_answer_is_asked_about_twice_and_after_a_step_only_a_few_per_cent_are(town: Town) -> None:
    town.canary()
    town.mail(40)
    for _ in range(3):
        town.audit(ramp=[5, 100], audit=0.001)

    questions = [body["messages"][-1]["content"] for body in town.teacher.asked]
    assert len(questions) == len(set(questions)) == 10
    assert {"stream", "stream_options"}.isdisjoint(town.teacher.asked[0])
    assert set(town.teacher.keys) == {"Bearer sk-own"}


def test_what_comes_faster_than_it_is_compared_is_compared_at_its_newest(town: Town) -> None:
    town.live()
    town.mail(200)
    town.audit(audit=100)
    first = [each.exchange for each in audited_of(town.data, "w", GOOD)]
    town.mail(20)
    town.audit(audit=100)

    newest = "select id from exchanges where target = 'student' order by time desc limit"
    ids = [identity for (identity,) in rows(town.data, f"{newest} 52")]
    assert first == ids[20:][::-1]
    assert {each.exchange for each in audited_of(town.data, "w", GOOD)} >= set(ids[:32])


def test_the_teachers_answer_is_an_exchange_that_later_students_learn_from(town: Town) -> None:
    town.canary()
    town.mail(10)
    town.audit()

    found = rows(
        town.data, "select target, reason, workload, model_served, cost_usd from exchanges where reason='audit'"
    )
    assert found == [("teacher", "audit", "w", "m", pytest.approx(0.014))] * 10
    assert built(town.data, FEW).sides["train"].answers > 0
    assert sum(each.cost_usd or 0 for each in audited_of(town.data, "w", GOOD)) == pytest.approx(0.14)


def test_a_bad_student_is_withdrawn_with_the_evidence_even_if_held(town: Town) -> None:
    town.canary()
    town.change(hold)
    town.mail(30, wrong=30)
    for _ in range(4):
        found = audit(town.config(), "w")

    assert found == []
    assert (town.students.answering(), town.students.withdrawn) == ((), (GOOD,))
    last = read_history(town.data, "w")[-1]
    assert (last.author, last.action) == ("job:audit", "rollback")
    assert "0.850 is tolerated: evidence" in last.reason


def test_a_live_student_that_turns_bad_gives_way_to_the_one_before(town: Town) -> None:
    before, live = a_placed(OTHER, agreement=0.9), a_placed(GOOD)
    town.change(lambda students: Students(live=live, previous=before), now=BEGIN)
    town.mail(20, reason="live")
    town.audit(audit=100)
    assert town.students.live == live
    town.mail(30, reason="live", wrong=30)

    town.audit(audit=100)

    assert [each.adapter for each in town.students.answering()] == [OTHER]


def test_on_harm_notify_holds_and_tells_once(town: Town) -> None:
    town.canary()
    town.mail(40, wrong=40)
    for _ in range(5):
        watched = town.audit(on_harm="notify", step_audits=40)

    assert [each.adapter for each in town.students.answering()] == [GOOD]
    assert town.students.held
    assert [change.action for change in read_history(town.data, "w")].count("alarm") == 1
    assert watched.verdict.advice == "withdraw"


@pytest.mark.parametrize("fails", [Town.fails, Town.fails_openly])
def test_what_a_student_failed_at_counts_as_nothing_and_costs_nothing(
    town: Town, fails: Callable[[Town, int], None]
) -> None:
    town.canary()
    fails(town, 30)
    for _ in range(4):
        audit(town.config(), "w")

    assert town.students.withdrawn == (GOOD,)
    assert town.teacher.asked == []


def test_one_long_conversation_is_not_enough_to_go_up(town: Town) -> None:
    town.canary()
    town.mail(25, conversation="one agent's loop")
    for _ in range(4):
        watched = town.audit()

    assert watched.verdict.conversations <= 2  # it may go on beyond the end of a window
    assert "of 10 conversations audited at 5 %" in watched.verdict.why
    assert len(town.teacher.asked) == 25
    assert {each.conversation for each in audited_of(town.data, "w", GOOD)} == {"one agent's loop"}
    town.mail(9)
    town.audit()
    assert [each.share for each in town.students.answering()] == [25.0]


@pytest.mark.parametrize("promote", [{"mode": "manual"}, {"audit": 0}])
def test_by_hand_or_without_an_audit_no_share_is_widened(town: Town, promote: dict[str, Any]) -> None:
    town.canary()
    town.mail(30)

    for _ in range(3):
        town.audit(**promote)

    assert [each.share for each in town.students.answering()] == [5.0]
    assert (len(town.teacher.asked) > 0) == ("mode" in promote)


def test_without_a_measured_agreement_there_is_no_alarm_and_no_step_and_it_says_what_to_do(town: Town) -> None:
    town.canary(agreement=None)
    town.mail(30, wrong=30)

    watched = town.audit()

    assert watched.done is None
    assert "evaluate it, and let the gate judge it" in watched.verdict.why
    assert watched.verdict.why in (watched.failure or "")
    assert town.teacher.asked == []


@pytest.mark.parametrize("agreement", [0.0, 0.08, 0.1])
def test_where_no_audit_could_tell_good_from_bad_no_share_is_widened_no_money_is_spent_and_it_says_what_to_do(
    town: Town, agreement: float
) -> None:
    town.canary(agreement=agreement, measure=BY_EQUALITY)
    town.mail(40, wrong=40)

    for _ in range(3):
        watched = town.audit()

    assert [each.share for each in town.students.answering()] == [5.0]
    assert (watched.new, watched.verdict.bar, watched.verdict.advice) == (0, None, "watch")
    assert "take each step by hand (`nightschool promote w`)" in (watched.failure or "")
    assert town.teacher.asked == []
    assert town.audit(audit=0).failure is None


def test_answers_of_a_canary_that_cannot_be_used_count_against_it_beside_a_live_student(town: Town) -> None:
    town.live(OTHER)
    town.canary()
    for _ in range(10):
        town.mail(1)
        town.fails(2)
    for _ in range(5):
        audit(town.config(step_audits=30), "w")

    assert town.students.withdrawn == (GOOD,)
    assert [each.adapter for each in town.students.answering()] == [OTHER]


def test_what_a_canary_failed_at_never_counts_for_the_live_student(town: Town) -> None:
    town.live(OTHER)
    town.canary()
    town.mail(4, OTHER, reason="live")
    town.fails(40)
    town.fails(40, None)  # recorded before records named who had failed
    town.change(lambda before: roll_back(before, adapter=GOOD, now=BEGIN.isoformat()))

    for _ in range(3):
        watched = town.audit(audit=100)

    assert (watched.adapter, watched.verdict.conversations, watched.verdict.agreement) == (OTHER, 4, 1.0)
    assert [each.adapter for each in town.students.answering()] == [OTHER]


def test_a_student_is_audited_by_the_scorer_of_its_own_bar_whatever_the_configuration_says_today(town: Town) -> None:
    town.live()
    town.mail(40, reason="live")
    town.teacher.rule = lambda body: says(
        f" {knows_all(body)['content'].upper()}. "
    )  # the same label, not the same text
    told = town.told()
    told["workloads"]["w"]["promote"]["audit"] = 100
    told["workloads"]["w"]["evaluate"]["scorer"] = "exact"

    for _ in range(2):
        (watched,) = audit(Config.model_validate(told), "w")

    assert (watched.done, watched.verdict.agreement) == (None, 1.0)
    assert [each.adapter for each in town.students.answering()] == [GOOD]


def test_agreements_by_another_scorer_say_nothing_of_a_bar(town: Town) -> None:
    town.live()
    town.mail(40, reason="live", wrong=40)
    town.audit(audit=100, on_harm="notify")
    town.live(measure=BY_EQUALITY)

    assert town.audit(audit=0).verdict.conversations == 0
    town.live()
    assert town.audit(audit=0, on_harm="notify").verdict.conversations == 32


@pytest.mark.parametrize(
    ("measure", "words"),
    [(None, "is not known; evaluate it, and say `nightschool promote w"), (Measure(scorer="gone:gone"), "imported")],
)
def test_where_its_scorer_cannot_be_found_it_is_not_audited_and_says_so(
    town: Town, measure: Measure | None, words: str
) -> None:
    town.live(measure=measure)
    town.mail(40, reason="live", wrong=40)

    watched = town.audit(audit=100)

    assert (watched.new, watched.done) == (0, None)
    assert words in (watched.failure or "")
    assert town.teacher.asked == []


def test_of_a_student_that_was_placed_before_its_scorer_was_kept_its_own_evaluations_tell(tmp_path: Path) -> None:
    sorted_mail(tmp_path)
    with running_replica(FakeReplica(lambda model, messages: label_of(number_in(messages[-1]["content"])))) as server:
        evaluated(tmp_path, server.url, few_shot=0)
        old = a_placed(ADAPTER, measure=None)

        def found() -> Bar | NoBar:
            return bar_of(tmp_path, "w", old, Promote(margin=0.1), Evaluate(scorer="json_fields"))

        bar = found()
        assert isinstance(bar, Bar)
        assert bar.value == pytest.approx(0.85)
        assert bar.measure == BY_LABEL
        evaluated(tmp_path, server.url, few_shot=0, scorer="exact")
        assert isinstance(found(), NoBar)


def test_a_forced_student_is_held_to_the_agreement_of_the_one_whose_place_it_takes(town: Town) -> None:
    town.canary()
    town.change(lambda before: force(before, OTHER, share=100, fingerprints=("f",), now=BEGIN.isoformat()))
    town.mail(40, OTHER, wrong=40, reason="live")
    for _ in range(2):
        audit(town.config(audit=100), "w")

    assert OTHER in town.students.withdrawn


def test_a_student_that_comes_again_is_not_judged_by_what_it_did_before(town: Town) -> None:
    town.canary()
    town.mail(30, wrong=30)
    for _ in range(4):
        audit(town.config(), "w")
    assert town.students.withdrawn == (GOOD,)
    later = datetime.now(UTC) + timedelta(hours=1)
    town.change(lambda before: force(before, GOOD, share=100, fingerprints=("f",), now=later.isoformat()), now=later)

    watched = town.audit()

    assert (watched.verdict.conversations, watched.done) == (0, None)


def test_a_qualified_candidate_that_a_killed_night_has_left_begins_its_ramp(town: Town) -> None:
    candidate = Candidate(adapter=GOOD, qualified=True, fingerprints=("f",), agreement=0.9, measure=BY_LABEL)
    town.change(lambda before: Students(candidate=candidate))

    town.audit(mode="manual") if town.students.answering() else audit(town.config(mode="manual"), "w")
    assert town.students.answering() == ()
    town.audit()

    assert [(each.adapter, each.share) for each in town.students.answering()] == [(GOOD, 5.0)]


@pytest.mark.parametrize(("status", "words"), [(401, "api_key of its own"), (500, "goes on when it is well")])
def test_a_teacher_that_cannot_be_asked_is_told_and_nothing_is_lost(town: Town, status: int, words: str) -> None:
    town.canary()
    town.mail(12)
    town.teacher.status = status
    watched = town.audit()
    assert watched.new == 0
    assert words in (watched.failure or "")
    town.teacher.status = 200

    assert town.audit().done is not None


def test_of_a_teacher_that_becomes_unwell_no_answer_is_asked_for_twice_and_the_order_is_kept(town: Town) -> None:
    town.canary()
    town.mail(20)
    town.teacher.answers_left = 6
    watched = town.audit(step_audits=20)
    assert watched.failure is not None
    assert rows(town.data, "select count(*) from exchanges where reason = 'audit'") == [(6,)]
    town.teacher.answers_left = 10**6
    town.teacher.asked.clear()

    watched = town.audit(step_audits=20)

    assert (watched.failure, watched.verdict.conversations) == (None, 20)
    assert len(town.teacher.asked) == 14
    times = [each.time for each in audited_of(town.data, "w", GOOD)]
    assert times == sorted(times)


def test_while_the_teacher_is_unwell_what_a_student_failed_at_does_not_count_alone(town: Town) -> None:
    town.canary()
    for _ in range(10):
        town.mail(3)
        town.fails(3)
    town.teacher.status = 401

    for _ in range(3):
        watched = town.audit(step_audits=60)

    assert (watched.verdict.conversations, watched.verdict.advice) == (0, "watch")


def test_a_question_that_the_teacher_always_fails_at_is_noted_and_not_in_the_way(town: Town) -> None:
    town.canary()
    town.mail(12)
    town.teacher.fails_at = lambda body: body["messages"][-1]["content"].endswith("mail 11")

    done = [town.audit().done, town.audit().done]

    assert any(done)
    (noted,) = [each for each in audited_of(town.data, "w", GOOD) if each.problem]
    assert noted.agreement is None
    assert "status 500" in (noted.problem or "")


def test_an_alarm_on_students_that_somebody_holds_is_told_all_the_same(town: Town) -> None:
    town.canary()
    town.change(hold)
    town.mail(40, wrong=40)
    told = [town.audit(on_harm="notify", step_audits=40).failure for _ in range(3)]

    assert "nightschool rollback w" in (told[0] or "")
    assert told == [told[0]] * 3
    assert [each.adapter for each in town.students.answering()] == [GOOD]


def test_what_the_teacher_says_is_redacted_like_all_that_is_recorded(town: Town) -> None:
    town.canary()
    town.mail(4)
    town.teacher.rule = lambda body: says("ask sk-secret")
    rules = [{"pattern": "sk-[a-z]+", "with": "[key]"}]
    audit(Config.model_validate({**town.told(), "record": {"redact": rules}}), "w")

    answers = rows(town.data, "select response from exchanges where reason = 'audit'")
    assert len(answers) == 4
    assert all("ask [key]" in answer for (answer,) in answers)
    assert not any(b"sk-secret" in path.read_bytes() for path in town.data.rglob("*") if path.is_file())


def test_killed_while_it_asks_it_files_what_had_arrived_and_asks_only_for_the_rest(town: Town) -> None:
    town.canary()
    town.mail(10)
    folder = file_of(town.data, "w", GOOD).parent
    town.teacher.rule = stops_after(5)
    with killed_audit(town):
        until(lambda: lines_of(folder / "arrived.jsonl") == 5, what="five answers")
    town.teacher.rule = knows_all
    later = town.told()
    later["upstreams"]["main"]["api_key"] = "sk-later"

    audit(Config.model_validate(later), "w")

    assert town.teacher.keys.count("Bearer sk-later") == 5
    assert rows(town.data, "select count(*), count(distinct id) from exchanges where reason = 'audit'") == [(10, 10)]
    assert lines_of(folder / "arrived.jsonl") == 0


def test_killed_between_the_record_and_the_note_it_asks_and_records_nothing_twice(town: Town) -> None:
    town.canary()
    town.mail(10)
    town.audit()
    note = file_of(town.data, "w", GOOD)
    lines = note.read_bytes().splitlines(keepends=True)
    note.write_bytes(b"".join(lines[:4]) + lines[4][:20])

    town.change(lambda before: roll_back(before, now=BEGIN.isoformat()))
    town.canary()
    town.audit()

    assert len(town.teacher.asked) == 10
    assert rows(town.data, "select count(*), count(distinct id) from exchanges where reason = 'audit'") == [(10, 10)]
    assert len(audited_of(town.data, "w", GOOD)) == 10


def test_who_was_asked_for_by_name_is_no_fair_sample(town: Town) -> None:
    town.canary()
    town.mail(20, reason="asked")

    assert town.audit().new == 0


def test_the_note_says_what_was_measured(town: Town) -> None:
    town.canary()
    town.mail(2, wrong=1)
    town.audit()

    told = [json.loads(line) for line in file_of(town.data, "w", GOOD).read_text().splitlines()]
    assert [(each["agreement"], each["share"]) for each in told] == [(1.0, 5.0), (0.0, 5.0)]
    assert all(each["teacher"] and each["exchange"] and each["cost_usd"] for each in told)
