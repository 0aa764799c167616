"""The ledger leaves nothing out that is spent, and guesses nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.ledger import Spent, kept_s, ledger_of, overlap_s, part_of, waits_usd
from console.traffic import Sum
from nightschool.config import Config
from nightschool.registry.change import Change, change_students
from nightschool.registry.routing import Candidate, Students
from nightschool.registry.steps import hold, propose, release
from tests.console.house import config as house_config
from tests.console.house import running_console
from tests.running import write_config

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

    def kept(history: list[Change], begin: int, end: int) -> float:
        return sum(kept_s(history, NOW + timedelta(seconds=begin), NOW + timedelta(seconds=end)).values())

    assert kept(history, 0, 100) == 100
    assert kept([*history, changed(30, "v", Students())], 0, 100) == 30
    assert kept([*history, changed(30, "v", Students())], 25, 86_400) == 5
    assert kept([], 0, 100) == 0


def test_replicas_are_paid_for_by_who_wants_an_adapter_just_then() -> None:
    placed = Students(candidate=Candidate(adapter="a"))
    history = [changed(-50, "gone", Students(held=True)), changed(-40, "gone", Students()), changed(-10, "w", placed),
               changed(40, "v", placed), changed(60, "v", Students())]  # fmt: skip

    assert kept_s(history, NOW, NOW + timedelta(seconds=100)) == {"w": 40 + 10 + 40, "v": 10}
    assert kept_s(history[:3], NOW, NOW + timedelta(seconds=100)) == {"w": 100}


def test_of_a_gpu_that_waits_every_workload_has_its_part_however_much_one_answers() -> None:
    busy, quiet = summed("student", 100, 5.0, requested="gpt-x"), summed("student", 1, 0.5, requested="gpt-x")
    priced = config(price={"gpu_hour_usd": 2.0, "tokens_per_hour": 1_000_000}, base_model="b", replicas=["http://r"])
    whole = Spent(judged_usd=None, trained_s=0, served_s=4 * 3600)

    waits = waits_usd(priced, [busy, quiet], whole)
    assert waits == pytest.approx(4 * 2.0 - 5.5)
    parts = [
        ledger_of(priced, [sums], part_of(Spent(None, 0, hours * 3600), whole, waits))
        for sums, hours in ((busy, 1), (quiet, 3))
    ]
    assert [line.usd for part in parts for line in part.with_us if line.name == "GPU that waits"] == [
        pytest.approx(2.5 * 1 / 4),
        pytest.approx(2.5 * 3 / 4),
    ]
    assert sum(part.cost_with for part in parts) == pytest.approx(ledger_of(priced, [busy, quiet], whole).cost_with)


def test_the_overview_leaves_no_hour_of_the_gpu_out_for_a_workload_that_wanted_none(tmp_path: Path) -> None:
    price = {"price": {"gpu_hour_usd": 2.0, "tokens_per_hour": 1_000_000}}
    told = house_config()
    write_config(tmp_path, told | {"student": told["student"] | price, "workloads": {"w": {"when": {"tool": "sort"}}}})
    steps: list[tuple[int, str, Callable[[Students], Students]]] = [
        (29, "gone", hold), (29, "gone", release), (10, "w", lambda before: propose(before, "w--a")),
        (9, "left", lambda before: propose(before, "left--a")),
    ]  # fmt: skip
    for days, workload, step in steps:
        now = datetime.now(UTC) - timedelta(days=days)
        change_students(tmp_path / "data", workload, step, author="t", action="t", reason="t", now=now)

    with running_console(tmp_path) as url:
        page = httpx.get(f"{url}/?days=7", trust_env=False, timeout=20).text

    def usd(after: str, before: str) -> set[float]:
        return {float(told) for told in re.findall(r"\$([0-9.]+)", page.split(after)[1].split(before)[0])} - {0.0}

    (whole,) = usd("GPU that waits", "</tr>")
    assert 6 * 24 * 2.0 < whole < 8 * 24 * 2.0
    for name in ("w", "left"):
        assert [*usd(f'href="/routing/{name}"', "</tr>")] == pytest.approx([whole / 2], abs=0.02)
    assert "/routing/gone" not in page


def test_a_clock_that_was_set_back_makes_no_hour_longer() -> None:
    placed = Students(candidate=Candidate(adapter="a"))
    history = [changed(10, "w", placed), changed(-50, "v", placed)]

    assert sum(kept_s(history, NOW, NOW + timedelta(seconds=100)).values()) == 90


def changed(second: int, workload: str, after: Students) -> Change:
    time = (NOW + timedelta(seconds=second)).isoformat()
    told: dict[str, Any] = {"author": "t", "action": "t", "reason": "t", "before": Students()}
    return Change(revision=1, time=time, workload=workload, after=after, **told)
