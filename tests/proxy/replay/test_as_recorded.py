"""Replayed by what was in force when it was recorded, traffic goes where it went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import duckdb
import pytest

from nightschool.registry.change import read_history
from nightschool.registry.replicas import read_replicas
from nightschool.registry.routing import read_routing
from nightschool.store.query import ask
from proxy.replay.past import Past, read_past
from proxy.replay.replay import replay, total
from proxy.replay.router import Router
from proxy.replay.rules import HEADER, Undecidable
from proxy.replay.supposed import Since, Supposed, always, as_routed
from proxy.route import Route
from tests.proxy.replay.recorded import Recorded, recorded_traffic


class Answered(NamedTuple):
    """Who answered, and why."""

    model: str | None
    workload: str | None
    target: str
    adapter: str | None
    reason: str
    propensity: float


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with recorded_traffic(tmp_path_factory.mktemp("recorded")) as recorded:
        yield recorded


def states(recorded: Recorded) -> list[Since]:
    return as_routed(read_routing(recorded.data), read_history(recorded.data))


def router(recorded: Recorded, states: list[Since]) -> Router:
    return Router(recorded.config, Supposed(recorded.config, states, read_replicas(recorded.data)))


def answered_by(model: str | None, route: Route) -> Answered:
    return Answered(model, route.workload, route.target, route.adapter, route.reason, round(route.propensity, 6))


def each_of(recorded: Recorded) -> list[tuple[Answered, Past]]:
    """Without those during which the proxy learned of a change."""

    def question(store: duckdb.DuckDBPyConnection) -> list[tuple[Answered, Past]]:
        rows = store.execute(
            "select id, model_requested, workload, target, adapter, reason, round(propensity::double, 6) "
            "from exchanges where tags['phase'] is null order by time"
        ).fetchall()
        return [(Answered(*told), next(read_past(store, "id = ?", [identity]))) for identity, *told in rows]

    return ask(recorded.data, question)


def test_by_what_was_in_force_every_exchange_goes_where_it_went(recorded: Recorded) -> None:
    again = router(recorded, states(recorded))
    then, now = [], []
    for answered, past in each_of(recorded):
        route = again.route(past)
        if not isinstance(route, Undecidable):
            then.append(answered)
            now.append(answered_by(answered.model, route))

    assert now == then
    assert {(each.target, each.reason) for each in now} >= {
        *(("teacher", reason) for reason in ("rule", "header", "default", "no_student", "asked", "ramp")),
        *(("teacher", reason) for reason in ("teacher_sample", "tool_loop", "capability", "unqualified_prompt")),
        *(("student", reason) for reason in ("canary", "live", "tool_loop", "asked")),
    }


def test_only_what_a_rule_on_a_header_may_have_decided_is_undecidable(recorded: Recorded) -> None:
    again = router(recorded, states(recorded))
    routed = [(answered.model, again.route(past)) for answered, past in each_of(recorded)]

    assert {route.why for _, route in routed if isinstance(route, Undecidable)} == {HEADER}
    assert {model for model, route in routed if isinstance(route, Undecidable)} == {"gpt-h"}
    assert not any(isinstance(route, Undecidable) for model, route in routed if model != "gpt-h")


def test_what_it_cost_comes_out_again(recorded: Recorded) -> None:
    past = [past for _, past in each_of(recorded)]

    whole = total(replay(past, router(recorded, states(recorded))).values())

    assert whole.priced > 100
    assert whole.usd_now == pytest.approx(whole.usd_then)
    assert whole.changed == whole.moved == 0


def test_by_the_students_of_today_what_the_withdrawn_one_had_answered_goes_to_another(recorded: Recorded) -> None:
    today = router(recorded, always(read_routing(recorded.data)))
    routed = [(answered, today.route(past)) for answered, past in each_of(recorded) if answered.reason == "canary"]

    assert len(routed) > 5
    assert {route.reason for _, route in routed if not isinstance(route, Undecidable)} == {"live"}
