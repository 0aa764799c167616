"""What would be is routed by the live rules, added up where it is known, and counted apart where it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nightschool.config import Config
from nightschool.registry.change import Change
from nightschool.registry.replicas import ReplicaState, ReplicaStates
from nightschool.registry.routing import NOBODY, Candidate, Placed, RoutingState, Students
from nightschool.registry.steps import StepRefused
from proxy.replay.past import Past
from proxy.replay.replay import NO_PRICE, NO_STUDENT_PRICE, NO_TOKENS, NOT_KNOWN_THEN, Totals, replay, total
from proxy.replay.router import REFUSED, TEXT_MISSING, Router
from proxy.replay.rules import HEADER, REDACTED, Undecidable
from proxy.replay.supposed import BEGINNING_US, Supposed, always, as_routed, qualified_prompts, with_adapter, with_share
from tests.running import config_for

OLD, NEW = "cities--aaaaaaaaaaaa", "cities--bbbbbbbbbbbb"
SYSTEM = {"role": "system", "content": "Name the capital of [hidden]."}
KNOWN: dict[str, Any] = {"model": "gpt-4o", "messages": [SYSTEM, {"role": "user", "content": "Please."}]}
BY_MODEL: dict[str, Any] = {"cities": {"when": {"model": "gpt-4o"}}}
PRICES = {"gpt-4o": {"input": 10, "output": 30}, "gpt-4o-mini": {"input": 1, "output": 3}}
ALREADY = "2026-11-25T00:00:00+00:00"
NO_REPLICA = ReplicaStates()


def past(**told: Any) -> Past:
    """A million tokens read by gpt-4o, and none written."""
    plain = Past(
        time_us=0,
        endpoint="/chat/completions",
        request=json.dumps(KNOWN),
        fingerprint="f",
        conversation="c",
        tags={},
        workload="cities",
        target="teacher",
        reason="rule",
        model_requested="gpt-4o",
        model_served=None,
        prompt_tokens=1_000_000,
        completion_tokens=0,
        cached_tokens=None,
        reasoning_tokens=None,
        total_tokens=None,
        cost_usd=10.0,
    )
    return plain._replace(**told)


def asked(body: dict[str, Any], **told: Any) -> Past:
    return past(request=json.dumps(body), model_requested=body.get("model"), **told)


def config(**sections: Any) -> Config:
    told = config_for("http://127.0.0.1:9/v1", prices=PRICES, workloads=BY_MODEL)
    return Config.model_validate({**told, **sections})


def router(given: Config, students: Students = NOBODY, *, replicas: ReplicaStates = NO_REPLICA) -> Router:
    return Router(given, Supposed(given, always(RoutingState(workloads={"cities": students})), replicas))


def placed(adapter: str, share: float = 100) -> Placed:
    return Placed(adapter=adapter, share=share, fingerprints=("f",), since=ALREADY)


def live(share: float = 100) -> Students:
    return Students(live=placed(OLD, share))


def added(given: Config, students: Students, *exchanges: Past) -> Totals:
    return total(replay(exchanges, router(given, students)).values())


# who would answer


def test_other_rules_make_another_workload() -> None:
    given = config(workloads={"towns": {"when": {"path": "/chat/completions"}}})

    found = replay([past()], router(given))

    assert list(found) == ["towns"]
    assert found["towns"].moved == 1


def test_what_no_rule_matches_is_under_the_empty_name() -> None:
    found = replay([asked({**KNOWN, "model": "x"})], router(config()))

    assert (found[""].exchanges, dict(found[""].reasons_now)) == (1, {"default": 1})


def test_what_the_caller_had_said_is_said_again() -> None:
    others = {**KNOWN, "model": "x"}
    rows = [past(reason="asked"), asked(others, reason="header", workload="by-name"), past(reason="no_student")]

    routes = [router(config(), live()).route(each) for each in rows]

    assert [(each.target, each.reason, each.workload) for each in routes if not isinstance(each, Undecidable)] == [
        ("teacher", "asked", "cities"),
        ("teacher", "header", "by-name"),
        ("student", "asked", "cities"),
    ]


def test_a_student_takes_what_its_fallbacks_had_left_to_the_teacher_and_they_are_counted() -> None:
    totals = added(config(), live(), past(reason="fallback_timeout"), past(target="student", reason="live"))

    assert (totals.students_then, totals.students_now, totals.fallbacks_then) == (1, 2, 1)


@pytest.mark.parametrize(("windows", "target"), [((10, 5000), "student"), ((10, 20), "teacher"), ((), "student")])
def test_a_replica_that_is_known_is_taken_to_be_well_and_keeps_its_window(
    windows: tuple[int, ...], target: str
) -> None:
    replicas = tuple(ReplicaState(url=f"http://r{each}", ready=False, max_model_len=each) for each in windows)

    route = router(config(), live(), replicas=ReplicaStates(replicas=replicas)).route(past())

    assert not isinstance(route, Undecidable)
    assert route.target == target


# what nobody can say


@pytest.mark.parametrize(
    ("workloads", "decided"),
    [
        ({"w": {"when": {"header.user-agent": "i*"}}, **BY_MODEL}, False),
        ({"w": {"when": {"header.user-agent": "i*", "model": "gpt-4o"}}, **BY_MODEL}, False),
        ({"w": {"when": {"header.user-agent": "i*", "model": "other"}}, **BY_MODEL}, True),
        ({**BY_MODEL, "w": {"when": {"header.user-agent": "i*"}}}, True),
    ],
)
def test_a_rule_on_a_header_leaves_open_only_what_it_may_have_decided(workloads: dict[str, Any], decided: bool) -> None:
    found = replay([past()], router(config(workloads=workloads)))

    assert found["cities"].exchanges == int(decided)
    assert dict(found["cities"].undecidable) == ({} if decided else {HEADER: 1})


@pytest.mark.parametrize(
    ("mark", "workloads", "decided"),
    [
        ("[hidden]", {"w": {"when": {"system_prompt": "^Name"}}}, False),
        ("[hidden]", {**BY_MODEL, "w": {"when": {"system_prompt": "^Name"}}}, True),
        ("[hidden]", BY_MODEL, True),
        ("[other]", {"w": {"when": {"system_prompt": "^Name"}}}, True),
    ],
)
def test_a_rule_on_a_prompt_that_was_redacted_leaves_open_what_it_may_have_decided(
    mark: str, workloads: dict[str, Any], decided: bool
) -> None:
    given = config(workloads=workloads, record={"redact": [{"pattern": "Italy", "with": mark}]})

    found = total(replay([past()], router(given)).values())

    assert dict(found.undecidable) == ({} if decided else {REDACTED: 1})


def test_without_its_text_an_exchange_is_undecidable_and_one_that_never_had_any_is_routed() -> None:
    upload = past(request=None, fingerprint=None, conversation=None, endpoint="/files", model_requested=None)

    found = replay([past(request=None), upload], router(config()))

    assert dict(found["cities"].undecidable) == {TEXT_MISSING: 1}
    assert found[""].exchanges == 1


def test_who_asked_by_name_gets_that_student_or_would_have_got_an_error() -> None:
    named = asked({**KNOWN, "model": f"nightschool/cities@{OLD}"}, target="student", reason="asked")

    there, gone = (router(config(), students).route(named) for students in (live(), Students(live=placed(NEW))))

    assert not isinstance(there, Undecidable)
    assert (there.target, there.adapter, there.reason) == ("student", OLD, "asked")
    assert gone == Undecidable(REFUSED)


# what it would cost


def test_a_student_that_answered_all_would_cost_so_much_less() -> None:
    given = config(student={"price": {"input": 1, "output": 1}})

    totals = added(given, live(), *[past()] * 3)

    assert (totals.exchanges, totals.students_then, totals.students_now, totals.changed) == (3, 0, 3, 3)
    assert (totals.usd_then, totals.usd_now, totals.usd_difference) == (30.0, 3.0, -27.0)


def test_what_rests_on_the_tokens_of_another_model_is_told_apart() -> None:
    given = config(student={"price": {"input": 1, "output": 1}})

    totals = added(given, live(), past(), past(target="student"), past(reason="asked"), past(cost_usd=None))

    assert (totals.usd_now, totals.estimated, totals.usd_estimated) == (12.0, 1, 1.0)


def test_other_prices_make_another_cost() -> None:
    totals = added(config(prices={"gpt-4o": {"input": 5, "output": 5}}), NOBODY, past())

    assert (totals.usd_then, totals.usd_now) == (10.0, 5.0)


def test_the_price_is_that_of_the_model_which_served_and_else_of_the_one_asked_for() -> None:
    totals = added(config(), NOBODY, past(model_served="gpt-4o-mini"), past(model_served="gpt-4o-2026-01-01"))

    assert totals.usd_now == 1.0 + 10.0


def test_reasoning_that_was_counted_apart_is_paid_for() -> None:
    apart = past(
        prompt_tokens=0, completion_tokens=0, reasoning_tokens=1_000_000, total_tokens=1_000_000, cost_usd=30.0
    )

    assert added(config(), NOBODY, apart).usd_now == 30.0


def test_a_cost_that_is_not_known_is_counted_apart_and_is_never_zero() -> None:
    unpriced = asked({**KNOWN, "model": "x"})
    totals = added(
        config(), Students(live=placed(OLD)), past(), past(completion_tokens=None), unpriced, past(reason="asked"),
        past(reason="asked", cost_usd=None),
    )  # fmt: skip

    assert totals.unpriced == {NO_STUDENT_PRICE: 1, NO_TOKENS: 1, NO_PRICE: 1, NOT_KNOWN_THEN: 1}
    assert (totals.exchanges, totals.priced, totals.usd_then, totals.usd_now) == (5, 1, 10.0, 10.0)


# who is supposed to answer


def test_a_share_is_that_of_the_newest_student_that_answers() -> None:
    both = Students(live=placed(OLD), canary=placed(NEW, 5))

    assert with_share(live(), 30).answering() == (placed(OLD, 30),)
    assert [(each.adapter, each.share) for each in with_share(both, 30).answering()] == [(NEW, 30), (OLD, 100)]
    assert [each.adapter for each in with_share(both, 100).answering()] == [NEW]


def test_where_none_answers_the_share_is_the_qualified_candidates() -> None:
    waiting = Students(candidate=Candidate(adapter=NEW, qualified=True, fingerprints=("f",)))

    assert [(each.adapter, each.share) for each in with_share(waiting, 30).answering()] == [(NEW, 30)]
    with pytest.raises(StepRefused, match="no qualified candidate"):
        with_share(NOBODY, 30)


def test_an_adapter_takes_its_share_before_the_live_one() -> None:
    given = config(student={"price": {"input": 1, "output": 1}}, workloads={
        "cities": {"when": {"model": "gpt-4o"}, "promote": {"teacher_share": 0}}
    })  # fmt: skip
    students = with_adapter(live(), NEW, share=50, fingerprints=("f",))

    totals = added(given, students, *(past(conversation=str(number)) for number in range(400)))

    assert set(totals.reasons_now) == {"canary", "live"}
    assert 150 < totals.reasons_now["canary"] < 250


def test_adapters_are_found_by_a_piece_of_their_name_with_the_prompts_of_the_newest_stage() -> None:
    students = Students(live=placed(OLD), candidate=Candidate(adapter=NEW), previous=placed(OLD, 5))

    assert qualified_prompts(students, "aaaa") == {OLD: ("f",)}
    assert qualified_prompts(students, "bbbb") == {}


def change(minute: int, before: Students, after: Students) -> Change:
    return Change(
        revision=minute, time=f"1970-01-01T00:{minute:02}:00.000+00:00", author="t", workload="cities", action="t",
        reason="t", before=before, after=after,
    )  # fmt: skip


def test_as_routed_every_exchange_meets_the_students_of_its_time() -> None:
    given, second_us = config(), 1_000_000
    changes = [change(1, NOBODY, live(30)), change(2, live(30), live(100)), change(3, live(100), NOBODY)]
    supposed = Supposed(given, as_routed(RoutingState(), changes), ReplicaStates())

    shares = [
        roster.live_share if (roster := supposed.at(at_s * second_us).get("cities")) else None
        for at_s in (0, 59, 60, 119, 120, 179, 180, 9999)
    ]

    assert shares == [None, None, 30, 30, 100, 100, None, None]


def test_a_clock_that_was_set_back_changes_no_order() -> None:
    changes = [change(5, NOBODY, live(30)), change(2, live(30), live(100))]

    found = as_routed(RoutingState(workloads={"cities": live(100)}), changes)

    assert [each.time_us for each in found] == [BEGINNING_US, 120_000_000, 120_000_000]
    assert [each.state.students_of("cities") for each in found] == [NOBODY, live(30), live(100)]
