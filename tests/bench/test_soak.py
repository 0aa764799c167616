"""The soak: a short one holds, and each of its checks can fail."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench.soak import checks
from bench.soak.checks import Check, Counts, Leftovers
from bench.soak.imports import Imports
from bench.soak.load import Ledger
from bench.soak.memory import memory
from bench.soak.proxy_process import sum_of
from bench.soak.question import TEACHER, Question, answer_to
from bench.soak.requests import body_of
from bench.soak.run import Plan, soak
from bench.soak.schedule import EVERY_S, ONCE, schedule
from bench.soak.stored import Held, Stored
from bench.soak.students import FIRST
from bench.soak.told import Outage, Told, mixed_up, unexpected
from bench.soak.watch import Watched

QUESTION = Question(7)
ID = "019ab0d3-0000-7000-8000-000000000001"
TOLD = Told("httpx", QUESTION, 1.0, 2.0, "whole", 200, ID, TEACHER, QUESTION.mark(TEACHER))
RECORD = Stored(200, True, TEACHER, None, QUESTION.text, QUESTION.mark(TEACHER))
HELD = Held({ID: RECORD}, [], Counter({ID: 1}))
COUNTS = Counts(records_lost=0, reloads=1, refused_reloads=1, tracebacks=0, exit_code=0, logs_left=0)
LEDGER = Ledger([TOLD, replace(TOLD, target="student", mark=QUESTION.mark(FIRST), id=None)], [ID])


def missed(found: list[Check]) -> list[str]:
    return [check.what for check in found if not check.met]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_soak_of_ten_seconds_misses_nothing_that_does_not_need_time(tmp_path: Path) -> None:
    result = soak(Plan(seconds=10.0, rate=25.0, seed=2), tmp_path)

    timeless = [check for check in result.checks if "MiB" not in check.what]
    assert len(timeless) > 10
    assert [check for check in timeless if not check.met] == []
    assert set(result.faults) == {*EVERY_S, *ONCE}
    assert result.asked > 200
    assert {"whole 200", "left 200", "whole 502"} <= set(result.by_end)


def test_all_is_met_where_nothing_is_wrong(tmp_path: Path) -> None:
    assert missed(checks.of_answers(LEDGER, [])) == []
    assert missed(checks.of_store(LEDGER, HELD, Imports(tmp_path), [])) == []
    assert missed(checks.of_counts(COUNTS, dict.fromkeys((*EVERY_S, *ONCE), 1))) == []


def test_an_acknowledged_answer_that_is_not_in_the_store_is_missed(tmp_path: Path) -> None:
    found = checks.of_store(LEDGER, HELD._replace(records={}), Imports(tmp_path), [])

    assert missed(found) == ["of answers, not in the store"]
    assert ID in found[1].faults[0]


def test_the_death_of_a_worker_excuses_cut_answers_and_no_whole_one(tmp_path: Path) -> None:
    killed = [Outage(0.0, 3.0, "worker")]
    nothing = HELD._replace(records={})
    cut = Ledger([replace(TOLD, end="cut", mark=None), replace(TOLD, id=None)])

    assert "of answers, not in the store" in missed(checks.of_store(LEDGER, nothing, Imports(tmp_path), killed))
    assert "of answers, not in the store" not in missed(checks.of_store(cut, nothing, Imports(tmp_path), killed))
    assert "of answers, not in the store" in missed(checks.of_store(cut, nothing, Imports(tmp_path), []))


def test_a_record_that_is_there_twice_is_missed(tmp_path: Path) -> None:
    assert missed(checks.of_store(LEDGER, HELD._replace(twice=[ID]), Imports(tmp_path), [])) == ["in the store twice"]


@pytest.mark.parametrize(
    "record",
    [
        RECORD._replace(request=Question(8).text),
        RECORD._replace(mark=Question(8).mark(TEACHER)),
        RECORD._replace(mark=None),
        RECORD._replace(status=500),
        RECORD._replace(complete=False),
        RECORD._replace(target="student", adapter=FIRST),
    ],
)
def test_a_record_that_differs_from_the_answer_is_missed(tmp_path: Path, record: Stored) -> None:
    found = checks.of_store(LEDGER, HELD._replace(records={ID: record}), Imports(tmp_path), [])

    assert missed(found) == ["records that differ from the answer"]


def test_feedback_and_imports_that_are_gone_are_missed(tmp_path: Path) -> None:
    imports = Imports(tmp_path)
    imports.ids.append("not there")
    found = missed(checks.of_store(LEDGER, HELD._replace(feedback=Counter()), imports, []))

    assert found == ["of 1 feedbacks, missing or doubled", "of 1 imported, not in the store"]


@pytest.mark.parametrize(
    "told",
    [
        replace(TOLD, mark=Question(8).mark(TEACHER)),
        replace(TOLD, mark=QUESTION.mark(FIRST)),
        replace(TOLD, target="student"),
        replace(TOLD, mark=None),
    ],
)
def test_the_answer_to_another_question_or_of_another_model_is_wrong(told: Told) -> None:
    assert mixed_up(TOLD) == ""
    assert mixed_up(told)
    assert "wrong or mixed-up answers" in missed(checks.of_answers(Ledger([told]), []))


def test_an_answer_may_end_badly_only_where_that_was_asked_for_or_a_process_was_killed() -> None:
    cut = replace(TOLD, end="cut", mark=None)
    student = replace(cut, target="student")

    assert unexpected(cut, [])
    assert unexpected(replace(cut, question=Question(7, "reset")), []) == ""
    assert unexpected(replace(TOLD, question=Question(7, "status-500")), [])
    assert unexpected(cut, [Outage(1.5, 1.7, "worker")]) == ""
    assert unexpected(cut, [Outage(2.5, 2.7, "worker")])
    assert unexpected(cut, [Outage(1.5, 1.7, "student")])
    assert unexpected(student, [Outage(1.5, 1.7, "student")]) == ""


def test_the_scripted_upstream_answers_with_the_mark_of_who_it_is() -> None:
    for taught, origin in ((False, TEACHER), (True, FIRST)):
        body = body_of(QUESTION) | ({"model": FIRST} if taught else {})
        behaviour = answer_to(body)
        assert behaviour is not None
        assert QUESTION.mark(origin) in "".join(behaviour.deltas)
        assert QUESTION.mark(origin) in "".join(behaviour.arguments)
    assert answer_to({"messages": [{"role": "user", "content": "hello"}]}) is None


def test_memory_grows_where_its_floor_does_and_not_where_it_only_goes_up_and_down() -> None:
    at_s = [float(second) for second in range(400)]
    still = memory(at_s, [60 << 20] * 400)
    grows = memory(at_s, [(60 << 20) + second * (64 << 10) for second in range(400)])
    saws = memory(at_s, [(60 << 20) + second % 20 * (1 << 20) * (second // 100) for second in range(400)])

    assert still is not None
    assert grows is not None
    assert saws is not None
    assert still.growth == 0
    assert grows.growth > 10 << 20
    assert abs(saws.growth) < 1 << 20
    assert [size >> 20 for size in grows.at_quarters] == [66, 72, 78, 84]


def test_a_process_whose_memory_grows_is_missed_and_one_that_was_killed_is_not_judged() -> None:
    at_s = [float(second) for second in range(100)]
    grows = [(60 << 20) + second * (1 << 20) for second in range(100)]
    watched = {1: Watched("worker", at_s, grows, []), 2: Watched("worker", at_s[:20], grows[:20], [])}

    [check] = checks.of_processes(watched)

    assert not check.met
    assert check.what.startswith("worker 1")


def test_descriptors_and_requests_that_stay_open_are_missed() -> None:
    before = {"worker": 16, "recorder": 7}

    assert missed(checks.of_leftovers(Leftovers(before, {"worker": 18, "recorder": 7}, 0))) == []
    assert missed(checks.of_leftovers(Leftovers(before, {"worker": 40, "recorder": 7}, 1))) == [
        "file descriptors after the load",
        "open requests after the load",
    ]


@pytest.mark.parametrize(
    ("counts", "what"),
    [
        (COUNTS._replace(records_lost=1), "records lost, by its own count"),
        (COUNTS._replace(tracebacks=1), "tracebacks in its log"),
        (COUNTS._replace(exit_code=1), "exit code"),
        (COUNTS._replace(logs_left=1), "logs that nobody has filed"),
        (COUNTS._replace(refused_reloads=0), "reloads taken over, refused"),
    ],
)
def test_what_the_proxy_says_of_itself_is_held_against_it(counts: Counts, what: str) -> None:
    assert missed(checks.of_counts(counts, dict.fromkeys((*EVERY_S, *ONCE), 1))) == [what]
    assert missed(checks.of_counts(COUNTS, {})) == ["faults that never came"]


def test_the_same_seed_gives_the_same_faults_and_every_kind_comes() -> None:
    assert schedule(600, 1) == schedule(600, 1) != schedule(600, 2)
    assert {due.fault for due in schedule(10, 1)} == {*EVERY_S, *ONCE}
    assert len(schedule(1800, 1)) > 2 * len(schedule(600, 1))


def test_a_metric_is_summed_over_the_series_that_have_its_labels() -> None:
    page = '# HELP a\nname_total{result="refused"} 2.0\nname_total{result="taken_over"} 3.0\nname 1.0\n'

    assert sum_of(page, "name_total", {}) == 5
    assert sum_of(page, "name_total", {"result": "refused"}) == 2
    assert sum_of(page, "name", {}) == 1
