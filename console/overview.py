"""The overview: what is answered by whom, how well, and for what money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import duckdb
from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from console.charts import Series, bars
from console.desk import Desk
from console.glance import Glance, glance_of
from console.health import cautions, processes
from console.ledger import Ledger, Spent, kept_s, ledger_of, part_of, together, waits_usd
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
        kept = kept_s(registry.history, traffic.since, datetime.now(UTC))
        names = [*dict.fromkeys((*(name for name in traffic.workloads if name), *config.workloads, *kept))]
        spent = _spent(desk, names, traffic.since, kept)
        whole = together(spent.values())
        waits = waits_usd(config, traffic.sums, whole)
        entries = [_entry(desk, config, name, traffic, registry, part_of(spent[name], whole, waits)) for name in names]
        if rest := traffic.of(None):
            entries.append(_summed(config, None, traffic, rest, Spent(None, 0, 0), None))
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
            ledger=ledger_of(config, traffic.sums, whole),
            answers=_answers_chart(traffic),
            money=_money_chart(traffic),
            kinds=[(kind, KIND_WORDS[kind]) for kind in KINDS if any(one.kind == kind for one in traffic.sums)],
            processes=processes(config, registry.replicas),
            cautions=[*cautions(desk.data), *([registry.fault] if registry.fault else [])],
            listen=config.listen,
        )

    return router


def _entry(desk: Desk, config: Config, name: str, traffic: Traffic, registry: Registry, spent: Spent) -> Entry:
    glance = glance_of(desk, config, name, registry.routing.students_of(name), registry.replicas, registry.history)
    return _summed(config, name, traffic, traffic.of(name), spent, glance)


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


def _spent(desk: Desk, names: Sequence[str], since: datetime, kept: Mapping[str, float]) -> dict[str, Spent]:
    """What each of these workloads cost besides answers."""
    judged = _judged(desk, since)
    return {name: Spent(judged.get(name), _trained_s(desk, name, since), kept.get(name, 0.0)) for name in names}


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
