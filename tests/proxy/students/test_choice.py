"""Who answers, and why, for everything that can be said of a request, of the students, and of the replicas."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.registry.routing import Students
from proxy.call_ids import call_id
from proxy.control import Control
from proxy.facts import RequestFacts
from tests.proxy.students.cast import (
    KNOWN,
    NEW,
    NEXT,
    OLD,
    ONE,
    SYSTEM,
    TEACHER,
    TOOLS,
    TWO,
    Ward,
    answer,
    body,
    candidate,
    placed,
    replica,
    request,
    roster,
    route,
)

LIVE = roster(Students(live=placed(OLD)))
RAMP = roster(Students(canary=placed(NEW, 5), live=placed(OLD)), teacher_share=3)
TO_TEACHER, TO_STUDENT = Control(target="teacher"), Control(target="student")
CAPITALS = [Control(conversation=str(number)) for number in range(400)]
CHANGED = body(messages=[{**SYSTEM, "content": "Name the largest city."}])


def results(*ids: str) -> RequestFacts:
    """A request that brings the results of calls with these ids."""
    calls = [{"id": each, "type": "function", "function": {"name": "find", "arguments": "{}"}} for each in ids]
    messages = [
        SYSTEM,
        {"role": "user", "content": "Of Italy?"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": each, "content": "Rome"} for each in ids),
    ]
    return request(body(messages=messages, tools=TOOLS))


def test_a_live_students_route_says_whom_to_ask_and_who_answers_instead() -> None:
    found = route(request(), LIVE)

    assert (found.target, found.adapter, found.reason, found.propensity) == ("student", OLD, "live", 1.0)
    assert [(each.url, each.name) for each in found.replicas] == [(ONE, f"replica {ONE}")]
    assert (found.workload, found.upstreams, found.teacher) == (TEACHER.workload, TEACHER.upstreams, TEACHER)


def test_a_replicas_window_and_the_end_of_an_answer_travel_with_the_route() -> None:
    found = route(request(), roster(Students(live=placed(OLD)), replica(ONE, max_model_len=512, stop_token_ids=(2,))))

    assert (found.replicas[0].max_model_len, found.replicas[0].stop_token_ids) == (512, (2,))


def test_shares_divide_conversations_and_each_reason_has_the_probability_of_its_target() -> None:
    found = [route(request(), RAMP, control) for control in CAPITALS]

    assert {(each.reason, each.adapter, round(each.propensity, 9)) for each in found} == {
        ("canary", NEW, 0.05),
        ("live", OLD, 0.92),
        ("teacher_sample", None, 0.03),
    }


def test_without_a_live_student_the_teacher_has_what_the_canary_leaves() -> None:
    early = roster(Students(canary=placed(NEW, 25)), teacher_share=3)
    reasons = [answer(request(), early, control) for control in CAPITALS]

    assert set(reasons) == {("canary", NEW), ("ramp", None), ("teacher_sample", None)}
    assert 60 < reasons.count(("canary", NEW)) < 140


def test_the_turns_of_a_conversation_without_a_name_stay_together() -> None:
    first = body()
    later = body(
        messages=[*first["messages"], {"role": "assistant", "content": "Rome"}, {"role": "user", "content": "?"}]
    )
    half = roster(Students(canary=placed(NEW, 50)))

    for number in range(50):
        opening = {"role": "user", "content": f"Of country {number}?"}
        first["messages"][1] = later["messages"][1] = opening
        assert answer(request(first), half) == answer(request(later), half)


@pytest.mark.parametrize("students", [Students(live=placed(OLD)), Students(canary=placed(OLD, 100))])
def test_a_prompt_that_the_student_is_not_qualified_on_is_the_teachers_at_once(students: Students) -> None:
    found = route(request(CHANGED), roster(students))

    assert (found.target, found.reason, found.adapter, found.propensity) == ("teacher", "unqualified_prompt", None, 1.0)


def test_each_adapter_has_prompts_of_its_own() -> None:
    both = roster(Students(canary=placed(NEW, 50, KNOWN[1:]), live=placed(OLD, 100, KNOWN[:1])))
    reasons = {answer(request(), both, control) for control in CAPITALS}

    assert reasons == {("unqualified_prompt", None), ("live", OLD)}


@pytest.mark.parametrize("endpoint", ["/completions", "/embeddings", "/responses", "/models"])
def test_only_chat_completions_are_students(endpoint: str) -> None:
    assert answer(request(endpoint=endpoint), LIVE) == ("capability", None)


def test_what_cannot_be_read_or_done_is_the_teachers() -> None:
    unread = RequestFacts("/chat/completions", {}, b"", header_tags={}, deployment=None)

    assert answer(unread, LIVE) == ("capability", None)
    assert answer(unread, LIVE, Control(conversation="c", target="student")) == ("capability", None)
    assert answer(request(body(n=2)), LIVE) == ("capability", None)


def test_a_prompt_goes_only_where_its_length_fits() -> None:
    long = request(body(messages=[SYSTEM, {"role": "user", "content": "x" * 3000}]))
    narrow, wide = replica(ONE, max_model_len=512), replica(TWO, max_model_len=2048)

    assert answer(long, roster(Students(live=placed(OLD)), narrow)) == ("capability", None)
    found = route(long, roster(Students(live=placed(OLD)), narrow, wide))
    assert [each.url for each in found.replicas] == [TWO]


def test_the_caller_may_insist_on_the_teacher() -> None:
    assert answer(request(), LIVE, TO_TEACHER) == ("asked", None)
    assert answer(request(endpoint="/embeddings"), LIVE, TO_TEACHER) == ("asked", None)


def test_a_caller_who_asks_for_a_student_gets_the_one_of_its_conversation_or_one_that_answers() -> None:
    asked = {answer(request(), RAMP, replace(control, target="student")) for control in CAPITALS}
    only_canary = roster(Students(canary=placed(NEW, 1)), teacher_share=90)

    assert asked == {("asked", NEW), ("asked", OLD)}
    assert {answer(request(), only_canary, replace(control, target="student")) for control in CAPITALS} == {
        ("asked", NEW)
    }


def test_asking_for_a_student_does_not_lift_what_protects_the_client() -> None:
    assert answer(request(CHANGED), LIVE, TO_STUDENT) == ("unqualified_prompt", None)
    assert answer(request(body(n=3)), LIVE, TO_STUDENT) == ("capability", None)
    assert answer(request(), LIVE, TO_STUDENT, ward=Ward(shut={ONE})) == ("no_replica", None)


NOBODY_READY = [
    (replica(ONE, ready=False), "no_replica"),
    (replica(ONE, NEW), "no_replica"),
    (replica(ONE, paused=True), "training"),
]


@pytest.mark.parametrize(("state", "reason"), NOBODY_READY)
def test_without_a_replica_that_is_ready_the_teacher_answers(state: Any, reason: str) -> None:
    assert answer(request(), roster(Students(live=placed(OLD)), state)) == (reason, None)


def test_a_replica_whose_breaker_is_open_is_not_asked() -> None:
    two = roster(Students(live=placed(OLD)), replica(ONE), replica(TWO))

    assert [each.url for each in route(request(), two, ward=Ward(shut={ONE})).replicas] == [TWO]
    assert answer(request(), two, ward=Ward(shut={ONE, TWO})) == ("no_replica", None)


SHARES = st.sampled_from([0.0, 5.0, 25.0, 100.0])


@given(SHARES, st.sampled_from([0.0, 3.0, 100.0]), st.text(min_size=1, max_size=5))
def test_a_tool_loop_ends_with_the_student_that_began_it_whatever_the_shares_become(
    share: float, teacher_share: float, conversation: str
) -> None:
    now = roster(Students(canary=placed(NEW, share), previous=placed(OLD)), teacher_share=teacher_share)
    control = Control(conversation=conversation)

    assert answer(results(call_id(NEW, "a", 0)), now, control) == ("tool_loop", NEW)
    assert answer(results(call_id(OLD, "a", 0)), now, control) == ("tool_loop", OLD)
    assert answer(results("call_1", call_id(OLD, "a", 1)), now, control) == ("tool_loop", OLD)
    assert answer(results("call_1"), now, control) == ("tool_loop", None)


def test_a_loop_of_a_student_that_was_withdrawn_is_ended_by_the_teacher() -> None:
    assert answer(results(call_id(NEW, "a", 0)), LIVE) == ("tool_loop", None)


def test_a_loop_whose_replica_is_gone_is_ended_by_the_teacher() -> None:
    assert answer(results(call_id(OLD, "a", 0)), LIVE, ward=Ward(shut={ONE})) == ("no_replica", None)


def test_a_loop_is_over_when_the_user_speaks_again() -> None:
    facts = results(call_id(NEW, "a", 0))
    messages = [*json.loads(bytes(facts.messages)), {"role": "user", "content": "And?"}]

    assert answer(request(body(messages=messages, tools=TOOLS)), LIVE) == ("live", OLD)


def test_results_without_readable_ids_are_no_loop() -> None:
    odd: Any
    for odd in (None, 7, {}):
        messages = [SYSTEM, {"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": odd, "content": "y"}]
        assert answer(request(body(messages=messages)), LIVE) == ("live", OLD)


def test_a_candidate_answers_nobody() -> None:
    students = roster(Students(live=placed(OLD), candidate=candidate(NEXT)))

    assert {answer(request(), students, control) for control in CAPITALS} == {("live", OLD)}
