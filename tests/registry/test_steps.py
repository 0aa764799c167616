"""What a step does to the students of a workload."""

from __future__ import annotations

import pytest

from nightschool.registry.routing import NOBODY, Students
from nightschool.registry.steps import (
    StepRefused,
    drop_candidate,
    force,
    propose,
    qualify,
    roll_back,
    settle,
    start_canary,
    widen,
)

NOW = "2026-11-25T02:00:00+00:00"


def qualified(adapter: str, before: Students = NOBODY) -> Students:
    return qualify(propose(before, adapter), adapter, fingerprints=("f1",), agreement=0.9)


def live(adapter: str, before: Students = NOBODY) -> Students:
    return settle(start_canary(qualified(adapter, before), share=5, now=NOW), adapter, now=NOW)


def test_a_candidate_goes_up_step_by_step_and_the_one_before_can_be_returned_to() -> None:
    first = live("w--a")
    assert first.stage == "live"
    second = start_canary(qualified("w--b", first), share=5, now=NOW)
    assert [each.adapter for each in second.answering()] == ["w--b", "w--a"]
    assert widen(second, "w--b", share=25, now=NOW).answering()[0].share == 25
    settled = settle(second, "w--b", now=NOW)
    assert settled.live is not None
    assert settled.live.adapter == "w--b"
    assert settled.wanted() == ("w--b", "w--a")
    assert roll_back(settled, now=NOW).answering()[0].adapter == "w--a"


def test_only_a_qualified_candidate_becomes_a_canary() -> None:
    with pytest.raises(StepRefused, match="no qualified candidate"):
        start_canary(propose(NOBODY, "w--a"), share=5, now=NOW)


def test_a_canary_that_is_rolled_back_leaves_the_live_adapter_alone() -> None:
    before = start_canary(qualified("w--b", live("w--a")), share=5, now=NOW)
    after = roll_back(before, now=NOW)
    assert [each.adapter for each in after.answering()] == ["w--a"]
    assert after.withdrawn == ("w--b",)


def test_a_live_adapter_that_is_rolled_back_with_a_canary_above_it_goes_alone() -> None:
    before = start_canary(qualified("w--b", live("w--a")), share=5, now=NOW)
    after = roll_back(before, adapter="w--a", now=NOW)
    assert [each.adapter for each in after.answering()] == ["w--b"]


def test_an_alarm_about_an_adapter_that_is_gone_changes_nothing() -> None:
    before = live("w--a")
    assert roll_back(before, adapter="w--z", now=NOW) is before
    assert roll_back(NOBODY, adapter="w--z", now=NOW) is NOBODY


def test_back_to_the_teacher_withdraws_every_student() -> None:
    before = start_canary(qualified("w--b", live("w--a")), share=5, now=NOW)
    after = roll_back(before, to_teacher=True, now=NOW)
    assert after.answering() == ()
    assert after.withdrawn == ("w--b", "w--a")


def test_nothing_is_rolled_back_to_an_adapter_that_was_withdrawn() -> None:
    before = roll_back(live("w--b", live("w--a")), now=NOW)
    assert roll_back(before, now=NOW).answering() == ()


def test_a_person_can_bring_back_what_was_withdrawn() -> None:
    withdrawn = roll_back(live("w--a"), now=NOW)
    after = force(withdrawn, "w--a", share=100, fingerprints=("f1",), now=NOW)
    assert after.stage == "live"
    assert after.withdrawn == ()


def test_a_forced_adapter_is_held_to_what_is_known_of_it_else_to_the_one_whose_place_it_takes() -> None:
    def agreement(before: Students, adapter: str) -> float | None:
        after = force(before, adapter, share=50, fingerprints=("f1",), now=NOW)
        return after.answering()[0].agreement

    first = live("w--a")
    climbing = start_canary(qualify(first, "w--b", fingerprints=("f1",), agreement=0.7), share=5, now=NOW)
    assert first.live is not None
    gone = Students(previous=first.live)

    assert agreement(climbing, "w--z") == 0.7
    assert agreement(climbing, "w--a") == 0.9
    assert agreement(first, "w--z") == 0.9
    assert agreement(gone, "w--z") == 0.9
    assert agreement(NOBODY, "w--z") is None


def test_a_candidate_that_did_not_pass_is_not_wanted_any_more() -> None:
    proposed = propose(live("w--a"), "w--b")
    assert proposed.wanted() == ("w--a", "w--b")
    assert drop_candidate(proposed, "w--b") == live("w--a")


def test_a_step_of_the_ramp_for_another_canary_is_refused() -> None:
    before = start_canary(qualified("w--b"), share=5, now=NOW)
    with pytest.raises(StepRefused, match="w--a is no canary"):
        widen(before, "w--a", share=25, now=NOW)
    with pytest.raises(StepRefused, match="w--a is no canary"):
        settle(before, "w--a", now=NOW)
