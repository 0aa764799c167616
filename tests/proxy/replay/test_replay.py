"""Replayed by what was in force when it was recorded, traffic goes where it went; else what would be is added up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from demo.scripted_upstream import upstream_in_thread
from nightschool.config import Config, load_config
from nightschool.registry.change import change_students
from nightschool.registry.replicas import ReplicaState, ReplicaStates, read_replicas, write_replicas
from nightschool.registry.routing import NOBODY, Placed, RoutingState, Students, read_routing
from nightschool.store.query import ask
from proxy.replay.past import Past, read_past
from proxy.replay.replay import Router, replay
from tests.faults.replicas import fingerprints, replica_process
from tests.running import RunningProxy, config_for, running_proxy
from tests.waiting import until

NOW = "2026-11-25T00:00:00+00:00"
KNOWN: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "one two three"}]}
NEW_PROMPT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "system", "content": "Sing."}, *KNOWN["messages"]],
}
TOO_MUCH: dict[str, Any] = {**KNOWN, "n": 2}
OTHER: dict[str, Any] = {**KNOWN, "model": "gpt-4o-mini"}
PRICES = {"gpt-4o": {"input": 10, "output": 30}, "gpt-4o-mini": {"input": 1, "output": 3}}


def past(**told: Any) -> Past:
    plain = Past(
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
        cost_usd=10.0,
    )
    return plain._replace(**told)


def config(**sections: Any) -> Config:
    told = config_for("http://127.0.0.1:9/v1", prices=PRICES, workloads={"cities": {"when": {"model": "gpt-4o"}}})
    return Config.model_validate({**told, "data": "data", **sections})


def router(given: Config, students: Students = NOBODY) -> Router:
    return Router(given, RoutingState(workloads={"cities": students}), ReplicaStates())


def live(*prompts: str) -> Students:
    return Students(live=Placed(adapter="cities--a", share=100, fingerprints=prompts, since=NOW))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    """A proxy that has answered sixty requests of all kinds, a quarter of them by a canary."""
    folder = tmp_path_factory.mktemp("recorded")
    told = {"cities": {"when": {"model": "gpt-4o"}, "promote": {"teacher_share": 10}}}
    with upstream_in_thread() as upstream, replica_process() as engine:
        given = config_for(upstream.base_url, prices=PRICES, workloads=told)
        with running_proxy(given, folder) as proxy:
            put_canary(proxy.data, engine.url)
            with openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as client:
                until(lambda: asks(client, "warm", KNOWN, 20), what="a student")
                for number in range(60):
                    body = (KNOWN, KNOWN, NEW_PROMPT, TOO_MUCH, OTHER)[number % 5]
                    asks(client, str(number), body, 1)
            until(lambda: proxy.rows("SELECT count(*) AS n FROM exchanges")[0]["n"] >= 80, what="all records")
            yield proxy


def put_canary(data: Path, url: str) -> None:
    ready = ReplicaState(url=url, ready=True, max_model_len=2048, adapters=("slow",))
    write_replicas(data, ReplicaStates(replicas=(ready,)))
    canary = Placed(adapter="slow", share=40, fingerprints=fingerprints([KNOWN]), since=NOW)
    change_students(data, "cities", lambda before: Students(canary=canary), author="t", action="t", reason="t")


def asks(client: openai.OpenAI, name: str, body: dict[str, Any], times: int) -> bool:
    """Whether a student answered one of them."""
    targets = []
    for number in range(times):
        raw = client.chat.completions.with_raw_response.create(
            **body, extra_headers={"x-nightschool-conversation": f"{name}-{number}"}
        )
        targets.append(raw.headers["x-nightschool-target"])
    return "student" in targets


def test_by_what_was_in_force_every_exchange_goes_where_it_went(recorded: RunningProxy) -> None:
    given = load_config(recorded.folder / "nightschool.yaml", {})
    again = Router(given, read_routing(recorded.data), read_replicas(recorded.data))
    found = ask(
        recorded.data,
        lambda store: list(
            read_past(store, "reason not in ('rule', 'default') or model_requested = 'gpt-4o-mini'", [])
        ),  # before the registry was followed, rules alone counted
    )

    routed = [again.route(each) for each in found]

    assert [(each.target, each.reason, each.workload) for each in routed] == [
        (each.target, each.reason, each.workload) for each in found
    ]
    assert {each.reason for each in found} >= {"canary", "ramp", "unqualified_prompt", "capability", "default"}


def test_a_student_that_answered_all_would_cost_so_much_less() -> None:
    given = config(student={"price": {"input": 1, "output": 1}})

    totals = replay([past()] * 3, router(given, live("f")), given).workloads["cities"]

    assert (totals.exchanges, totals.students_then, totals.students_now, totals.changed) == (3, 0, 3, 3)
    assert (totals.usd_then, totals.usd_now) == (30.0, 3.0)


def test_other_rules_make_another_workload_and_other_prices_another_cost() -> None:
    given = config(
        prices={"gpt-4o": {"input": 5, "output": 5}}, workloads={"towns": {"when": {"path": "/chat/completions"}}}
    )

    found = replay([past()], router(given), given)

    assert list(found.workloads) == ["towns"]
    assert found.workloads["towns"].usd_now == 5.0


def test_what_has_no_price_counts_for_nothing_and_what_cannot_be_routed_is_counted_apart() -> None:
    given = config()
    rows = [past(cost_usd=None), past(model_requested="x", request='{"model": "x"}'), past(request=None)]
    rows += [past(model_requested="nightschool/cities")]

    found = replay(rows, router(given), given)

    assert sum(totals.priced for totals in found.workloads.values()) == 0
    assert dict(found.undecided) == {"its request was not recorded": 1, "it asked for a student by name": 1}


def test_what_the_caller_had_said_is_said_again() -> None:
    given = config()
    rows = [past(reason="asked"), past(reason="header", workload="by-name", request='{"model": "x"}')]

    routes = [router(given, live("f")).route(each) for each in rows]

    assert [(each.target, each.reason, each.workload) for each in routes] == [
        ("teacher", "asked", "cities"),
        ("teacher", "header", "by-name"),
    ]


def test_workloads_that_are_told_by_a_header_are_named() -> None:
    given = config(workloads={"w": {"when": {"header.user-agent": "indexer/*"}}})

    assert replay([past()], router(given), given).header_rules == 1
