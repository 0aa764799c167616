"""The ledger leaves nothing out that is spent, and guesses nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.ledger import Spent, kept_s, ledger_of, overlap_s
from console.traffic import Sum
from nightschool.config import Config
from nightschool.registry.change import Change
from nightschool.registry.routing import Candidate, Students

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NOTHING = Spent(None, 0, 0)


def config(**student: Any) -> Config:
    told: dict[str, Any] = {
        "upstreams": {"main": {"base_url": "http://127.0.0.1:9/v1"}},
        "prices": {"gpt-x": {"input": 10.0, "output": 20.0, "cached_input": 1.0}},
    }
    return Config.model_validate(told | ({"student": student} if student else {}))


def summed(kind: str, rows: int, cost: float | None, *, requested: str | None = None, priced: int | None = None) -> Sum:
    """100 tokens in, of them 40 cached, and 50 out, each."""
    known = rows if priced is None else priced
    return Sum("w", kind, NOW, requested, rows, 0, cost, known, 100 * rows, 40 * rows, 50 * rows)


def test_students_save_what_the_model_that_was_asked_for_would_have_cost() -> None:
    sums = [summed("teacher", 10, 0.5), summed("student", 1000, 0.2, requested="gpt-x")]

    ledger = ledger_of(config(), sums, NOTHING)

    avoided = 1000 * (60 * 10 + 40 * 1 + 50 * 20) / 1e6
    assert ledger.cost_without == pytest.approx(0.5 + avoided)
    assert ledger.cost_with == pytest.approx(0.5 + 0.2)
    assert ledger.saved == pytest.approx(avoided - 0.2)


def test_audits_judges_training_and_the_gpu_that_waits_are_subtracted() -> None:
    sums = [summed("student", 100, 1.0, requested="gpt-x"), summed("audit", 5, 0.25), summed("fallback", 2, 0.1)]
    priced = config(price={"gpu_hour_usd": 2.0, "tokens_per_hour": 1_000_000}, base_model="b", replicas=["http://r"])

    ledger = ledger_of(priced, sums, Spent(judged_usd=0.5, trained_s=1800, served_s=4 * 3600))

    lines = {line.name: line.usd for line in ledger.with_us}
    assert lines["training"] == pytest.approx(1.0)
    assert lines["GPU that waits"] == pytest.approx(4 * 2.0 - 1.0 - 1.0)
    assert ledger.cost_with == pytest.approx(0.1 + 1.0 + 0.25 + 0.5 + 1.0 + 6.0)


def test_what_has_no_price_is_in_no_sum_and_is_named() -> None:
    sums = [summed("teacher", 4, 0.2, priced=3), summed("student", 7, None, requested="unheard-of", priced=0)]

    ledger = ledger_of(config(), sums, NOTHING)

    assert (ledger.cost_without, ledger.cost_with) == (0.2, 0.2)
    told = "\n".join(ledger.unknown)
    assert "1 answers of teachers have no cost" in told
    assert "7 answers of students have no price without us" in told
    assert "`student.price` is not set" in told


@pytest.mark.parametrize(
    ("begin", "end", "seconds"), [(-10, -5, 0), (-5, 5, 5), (2, 4, 2), (8, 20, 2), (12, 20, 0), (-5, 20, 10)]
)
def test_only_what_lies_in_the_span_counts(begin: int, end: int, seconds: int) -> None:
    first, last = NOW + timedelta(seconds=begin), NOW + timedelta(seconds=end)

    assert overlap_s(first.isoformat(), last, NOW, NOW + timedelta(seconds=10)) == seconds


def test_replicas_are_paid_for_while_any_workload_wants_an_adapter() -> None:
    placed = Students(candidate=Candidate(adapter="a"))
    history = [changed(0, "w", placed), changed(10, "v", placed), changed(20, "w", Students())]

    assert kept_s(history, NOW, NOW + timedelta(seconds=100)) == 100
    assert kept_s([*history, changed(30, "v", Students())], NOW, NOW + timedelta(seconds=100)) == 30
    assert kept_s([*history, changed(30, "v", Students())], NOW + timedelta(seconds=25), NOW + timedelta(days=1)) == 5
    assert kept_s([], NOW, NOW + timedelta(seconds=100)) == 0


def changed(second: int, workload: str, after: Students) -> Change:
    time = (NOW + timedelta(seconds=second)).isoformat()
    told: dict[str, Any] = {"author": "t", "action": "t", "reason": "t", "before": Students()}
    return Change(revision=1, time=time, workload=workload, after=after, **told)
