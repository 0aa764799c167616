"""What a step does to the students of a workload."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.registry.routing import NOBODY, Students
from nightschool.registry.steps import (
    StepRefused,
    advance,
    at_share,
    drop_candidate,
    force,
    give_up_canary,
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


def test_one_that_is_qualified_waits_behind_a_newer_candidate_until_that_has_passed() -> None:
    climbing = start_canary(qualified("w--a"), share=5, now=NOW)
    before = propose(qualified("w--b", climbing), "w--c")
    assert before.wanted() == ("w--a", "w--c", "w--b")
    assert before.next_up is not None
    assert before.next_up.adapter == "w--b"

    assert drop_candidate(before, "w--c") == qualified("w--b", climbing)
    assert propose(before, "w--d").next_up == before.next_up
    newer = qualify(before, "w--c", fingerprints=("f1",), agreement=0.9)
    assert (newer.next_up, newer.waiting) == (newer.candidate, None)
    assert newer.wanted() == ("w--a", "w--c")


def test_one_that_waits_begins_though_a_newer_one_is_still_evaluated() -> None:
    after = start_canary(propose(qualified("w--b"), "w--c"), share=5, now=NOW)
    assert after.canary is not None
    assert after.candidate is not None
    assert (after.canary.adapter, after.candidate.adapter, after.waiting) == ("w--b", "w--c", None)


def test_back_to_the_teacher_leaves_none_waiting_that_would_begin_by_itself() -> None:
    climbing = start_canary(qualified("w--a"), share=5, now=NOW)
    assert roll_back(qualified("w--b", climbing), to_teacher=True, now=NOW).next_up is None
    evaluated = roll_back(propose(qualified("w--b", climbing), "w--c"), to_teacher=True, now=NOW)
    assert (evaluated.next_up, evaluated.wanted()) == (None, ("w--c",))


def test_one_that_waits_and_is_forced_waits_no_more() -> None:
    before = propose(qualified("w--b"), "w--c")
    after = force(before, "w--b", share=50, fingerprints=("f1",), now=NOW)
    assert after.wanted() == ("w--b", "w--c")
    assert force(before, "w--c", share=50, fingerprints=("f1",), now=NOW).next_up == before.waiting


def test_a_step_of_the_ramp_for_another_canary_is_refused() -> None:
    before = start_canary(qualified("w--b"), share=5, now=NOW)
    with pytest.raises(StepRefused, match="w--a is no canary"):
        widen(before, "w--a", share=25, now=NOW)
    with pytest.raises(StepRefused, match="w--a is no canary"):
        settle(before, "w--a", now=NOW)


def test_a_live_adapter_whose_share_is_lowered_is_a_canary_before_the_one_that_was_live_before_it() -> None:
    for lowered in (
        force(live("w--b", live("w--a")), "w--b", share=25, fingerprints=("f1",), now=NOW),
        at_share(live("w--b", live("w--a")), share=25, now=NOW),
    ):
        assert [(each.adapter, share) for each, share in lowered.shares()] == [("w--b", 25), ("w--a", 75)]
        assert roll_back(lowered, now=NOW).withdrawn == ("w--b",)
        settled = at_share(lowered, share=100, now=NOW)
        assert settled.live is not None
        assert settled.previous is not None
        assert (settled.live.adapter, settled.previous.adapter) == ("w--b", "w--a")


def test_a_live_adapter_with_nobody_before_it_leaves_the_rest_to_the_teacher_when_its_share_is_lowered() -> None:
    lowered = at_share(live("w--a"), share=25, now=NOW)
    assert [(each.adapter, share) for each, share in lowered.shares()] == [("w--a", 25)]
    assert roll_back(lowered, now=NOW).answering() == ()


def test_a_share_goes_to_the_qualified_candidate_before_the_live_adapter_and_the_ramp_never_lowers_one() -> None:
    waiting = qualified("w--b", live("w--a"))
    assert [each.adapter for each in at_share(waiting, share=25, now=NOW).answering()] == ["w--b", "w--a"]
    assert at_share(live("w--a"), share=100, now=NOW) == live("w--a")
    with pytest.raises(StepRefused, match="no qualified candidate"):
        advance(live("w--a"), ramp=[5, 25, 100], now=NOW)


def test_a_state_that_names_one_adapter_as_canary_and_live_is_rolled_back_to_neither() -> None:
    placed = live("w--a").live
    after = roll_back(Students(live=placed, canary=placed), now=NOW)
    assert (after.answering(), after.withdrawn) == ((), ("w--a",))


ADAPTERS = st.sampled_from(["w--a", "w--b", "w--c"])
SHARES = st.sampled_from([0.0, 5.0, 50.0, 100.0])
STEPS: st.SearchStrategy[Callable[[Students], Students]] = st.one_of(
    st.builds(lambda adapter: lambda before: propose(before, adapter), ADAPTERS),
    st.builds(lambda adapter: lambda before: qualify(before, adapter, fingerprints=("f1",), agreement=None), ADAPTERS),
    st.builds(lambda adapter: lambda before: drop_candidate(before, adapter), ADAPTERS),
    st.just(give_up_canary),
    st.just(lambda before: advance(before, ramp=[5, 50, 100], now=NOW)),
    st.builds(lambda share: lambda before: at_share(before, share=share, now=NOW), SHARES),
    st.builds(
        lambda adapter, share: lambda before: force(before, adapter, share=share, fingerprints=(), now=NOW),
        ADAPTERS,
        SHARES,
    ),
    st.builds(lambda adapter: lambda before: roll_back(before, adapter=adapter, now=NOW), ADAPTERS),
    st.builds(lambda all_: lambda before: roll_back(before, to_teacher=all_, now=NOW), st.booleans()),
)


@given(st.lists(STEPS, max_size=12))
def test_whatever_is_done_no_adapter_is_in_two_places_and_a_rollback_withdraws_who_answers(
    steps: list[Callable[[Students], Students]],
) -> None:
    state = NOBODY
    for step in steps:
        try:
            state = step(state)
        except StepRefused:
            continue
        answering = [each.adapter for each in state.answering()]
        assert len(set(answering)) == len(answering)
        proposed = [each.adapter for each in (state.candidate, state.waiting) if each is not None]
        assert len({*answering, *proposed}) == len(answering) + len(proposed)
        assert state.previous is None or (state.live is not None and state.previous.adapter != state.live.adapter)
        assert sum(share for _, share in state.shares()) <= 100
        if answering:
            after = roll_back(state, now=NOW)
            assert answering[0] in after.withdrawn
            assert answering[0] not in [each.adapter for each in after.answering()]
