"""What is compiled of configuration and registry."""

from __future__ import annotations

from nightschool.registry.routing import Students
from proxy.students.roster import rosters_of, unnamed
from tests.proxy.students.cast import (
    NEW,
    NEXT,
    OLD,
    ONE,
    TWO,
    WORKLOAD,
    candidate,
    config,
    placed,
    registered,
    replica,
    roster,
)

LIVE = Students(live=placed(OLD))


def test_a_workload_that_is_not_in_the_configuration_has_no_students_and_is_told() -> None:
    without = config(workloads={"other": {"when": {"model": "*"}}})

    assert rosters_of(without, registered(LIVE)) == {}
    assert unnamed(without, registered(LIVE).routing) == {WORKLOAD}
    assert unnamed(config(), registered(LIVE).routing) == frozenset()


def test_a_workload_whose_students_answer_nobody_need_not_be_named() -> None:
    without = config(workloads={})

    assert unnamed(without, registered(Students(candidate=candidate(NEXT))).routing) == frozenset()


def test_a_workload_without_any_student_has_no_roster() -> None:
    assert rosters_of(config(), registered(Students(held=True, withdrawn=(OLD,)))) == {}


def test_everybody_is_known_whom_replicas_are_to_hold() -> None:
    students = Students(canary=placed(NEW, 5), live=placed(OLD), candidate=candidate(NEXT))

    found = roster(students, teacher_share=4)

    assert list(found.by_adapter) == [NEW, OLD, NEXT]
    assert list(found.by_digits) == ["b" * 12, "a" * 12, "c" * 12]
    assert [each.adapter for each in found.answering] == [NEW, OLD]
    assert (found.canary_share, found.live_share, found.teacher_share) == (5, 100, 4)


def test_only_replicas_that_are_ready_with_the_adapter_are_asked_for_it() -> None:
    found = roster(LIVE, replica(ONE, NEW), replica(TWO, OLD), replica("http://three", OLD, ready=False))

    assert [each.url for each in found.by_adapter[OLD].replicas] == [TWO]
    assert not found.by_adapter[OLD].paused


def test_an_adapter_whose_replicas_are_paused_waits_for_a_training_run() -> None:
    paused = replica(ONE, paused=True)

    assert roster(LIVE, paused).by_adapter[OLD].paused
    assert not roster(LIVE, paused, replica(TWO)).by_adapter[OLD].paused
