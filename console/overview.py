"""The overview: what is answered by whom, how well, and for what money."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import duckdb
from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from console.charts import Series, bars
from console.desk import Desk
from console.glance import Glance, glance_of
from console.health import cautions, processes
from console.ledger import Ledger, Spent, kept_s, ledger_of
from console.registry import Registry, read_registry
from console.traffic import KIND_WORDS, KINDS, SPANS, Sum, Traffic, clients, read_traffic, rows_of
from nightschool.config import Config
from nightschool.registry.adapters import AdapterDamaged, adapters_of


class Entry(NamedTuple):
    """A workload on the page."""

    name: str | None
    """None is all that no rule names."""
    rows: int
    errors: int
    by_kind: list[tuple[str, int]]
    spark: list[float]
    teacher_ms: float | None
    student_ms: float | None
    ledger: Ledger
    glance: Glance | None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    def overview(request: Request, days: int = 7) -> Response:
        days = days if days in SPANS else 7
        config, registry = desk.config, read_registry(desk)
        traffic = read_traffic(desk.asking, days)
        judged = _judged(desk, traffic.since)
        names = [*dict.fromkeys((*(name for name in traffic.workloads if name), *config.workloads))]
        entries = [_entry(desk, config, name, traffic, registry, judged) for name in names]
        if rest := traffic.of(None):
            entries.append(_unnamed(config, traffic, rest))
        whole = ledger_of(config, traffic.sums, _spent(desk, names, traffic, registry, judged))
        return desk.pages.render(
            request,
            "overview",
            title="Overview",
            days=days,
            spans=SPANS,
            entries=entries,
            rows=rows_of(clients(traffic.sums)),
            errors=sum(one.errors for one in clients(traffic.sums)),
            by_students=sum(one.rows for one in traffic.sums if one.kind == "student"),
            ledger=whole,
            answers=_answers_chart(traffic),
            money=_money_chart(traffic),
            kinds=[(kind, KIND_WORDS[kind]) for kind in KINDS if any(one.kind == kind for one in traffic.sums)],
            processes=processes(config, registry.replicas),
            cautions=[*cautions(desk.data), *([registry.fault] if registry.fault else [])],
            listen=config.listen,
        )

    return router


def _entry(
    desk: Desk,
    config: Config,
    name: str,
    traffic: Traffic,
    registry: Registry,
    judged: dict[str | None, float],
) -> Entry:
    sums = traffic.of(name)
    spent = _spent(desk, [name], traffic, registry, judged)
    glance = glance_of(desk, config, name, registry.routing.students_of(name), registry.replicas, registry.history)
    return _summed(config, name, traffic, sums, spent, glance)


def _unnamed(config: Config, traffic: Traffic, sums: list[Sum]) -> Entry:
    return _summed(config, None, traffic, sums, Spent(None, 0, 0), None)


def _summed(
    config: Config, name: str | None, traffic: Traffic, sums: list[Sum], spent: Spent, glance: Glance | None
) -> Entry:
    asked = clients(sums)
    return Entry(
        name=name,
        rows=rows_of(asked),
        errors=sum(one.errors for one in asked),
        by_kind=[(kind, sum(one.rows for one in asked if one.kind == kind)) for kind in KINDS[:3]],
        spark=traffic.by_bucket(asked, lambda one: one.rows),
        teacher_ms=traffic.latency.get((name, "teacher")),
        student_ms=traffic.latency.get((name, "student")),
        ledger=ledger_of(config, sums, spent),
        glance=glance,
    )


def _spent(
    desk: Desk, names: Sequence[str], traffic: Traffic, registry: Registry, judged: dict[str | None, float]
) -> Spent:
    """What these workloads cost besides answers. Replicas are shared, so each workload with students has its part."""
    now = datetime.now(UTC)
    known = [judged[name] for name in names if name in judged]
    with_students = {change.workload for change in registry.history}
    served = kept_s(registry.history, traffic.since, now)
    part = len(with_students & set(names)) / len(with_students) if with_students else 0.0
    return Spent(
        judged_usd=sum(known) if known else None,
        trained_s=sum(_trained_s(desk, name, traffic.since) for name in names),
        served_s=served * part,
    )


def _trained_s(desk: Desk, workload: str, since: datetime) -> float:
    try:
        adapters = adapters_of(desk.data, workload)
    except AdapterDamaged:
        return 0.0
    return sum(each.outcome.seconds for each in adapters if datetime.fromisoformat(each.created) >= since)


def _judged(desk: Desk, since: datetime) -> dict[str | None, float]:
    """USD for judges, by workload."""

    def question(store: duckdb.DuckDBPyConnection) -> dict[str | None, float]:
        query = "select workload, sum(cost_usd) from verdicts where time >= ? and cost_usd is not null group by all"
        return dict(store.execute(query, [since]).fetchall())

    return desk.asking.remembered(("judged", since), lambda: desk.asking.ask(question))


def _answers_chart(traffic: Traffic) -> Markup:
    series = [
        Series(KIND_WORDS[kind], kind, traffic.by_bucket([one for one in traffic.sums if one.kind == kind], _rows))
        for kind in KINDS
    ]
    return bars(_labels(traffic), series, "Answers over time, by who gave them")


def _money_chart(traffic: Traffic) -> Markup:
    series = [
        Series(KIND_WORDS[kind], kind, traffic.by_bucket([one for one in traffic.sums if one.kind == kind], _usd))
        for kind in KINDS
    ]
    return bars(_labels(traffic), series, "What the answers cost over time", unit=" $")


def _labels(traffic: Traffic) -> list[str]:
    form = "%H:%M" if traffic.step < timedelta(days=1) else "%d %b"
    return [bucket.strftime(form) for bucket in traffic.buckets]


def _rows(one: Sum) -> float:
    return one.rows


def _usd(one: Sum) -> float:
    return one.cost or 0.0
