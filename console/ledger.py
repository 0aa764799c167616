"""What a workload costs with us, and what it would cost without: nothing that we spend is left out, nothing is guessed.

    without us   the teacher's answers, and the students' at the price of the model that was asked for
    with us      all answers, audits, judges, training, and the GPU while it waits

The difference is what is saved. A part whose price nobody knows is not there, and the ledger says so.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import NamedTuple

from console.traffic import Sum
from nightschool.config import Config
from nightschool.prices import price_for, prices_of
from nightschool.registry.change import Change
from nightschool.wire.usage import Usage, cost_usd

_HOUR_S = 3600.0


class Line(NamedTuple):
    """One entry; ``usd`` is None where it is not known."""

    name: str
    usd: float | None
    note: str


class Ledger(NamedTuple):
    """Of a span of time."""

    without: list[Line]
    with_us: list[Line]
    unknown: list[str]
    """What is missing, in words."""

    @property
    def cost_without(self) -> float:
        return _total(self.without)

    @property
    def cost_with(self) -> float:
        return _total(self.with_us)

    @property
    def saved(self) -> float:
        return self.cost_without - self.cost_with


class Spent(NamedTuple):
    """What students cost besides their answers, in the span."""

    judged_usd: float | None
    """None where no judge was asked."""
    trained_s: float
    served_s: float
    """That replicas were kept for students."""
    waits_usd: float | None = None
    """A part of what `waits_usd` says of all who shared the replicas; None for all of them together."""


def ledger_of(config: Config, sums: Sequence[Sum], spent: Spent) -> Ledger:
    by_kind = {kind: [one for one in sums if one.kind == kind] for kind in ("teacher", "student", "fallback", "audit")}
    teacher = [*by_kind["teacher"], *by_kind["fallback"]]
    answered = _cost(by_kind["student"])
    avoided, unpriced = _avoided(config, by_kind["student"])
    without = [
        Line("teacher's answers", _cost(teacher), _rows(teacher)),
        Line("students' answers, had the teacher given them", avoided, _rows(by_kind["student"])),
    ]
    with_us = [
        Line("teacher's answers", _cost(teacher), _rows(teacher)),
        Line("students' answers", answered, _rows(by_kind["student"])),
        Line("audits", _cost(by_kind["audit"]), _rows(by_kind["audit"])),
        Line("judges", spent.judged_usd, "of evaluations" if spent.judged_usd is not None else "none was asked"),
        *_machines(config, answered, spent),
    ]
    return Ledger(without, with_us, [*_unknown(config, teacher, by_kind, unpriced)])


def _machines(config: Config, answered: float | None, spent: Spent) -> Iterable[Line]:
    """Training and waiting, at the price of a GPU hour where it is known."""
    price = config.student.price
    hour = None if price is None else price.gpu_hour_usd
    trained = None if hour is None else spent.trained_s / _HOUR_S * hour
    yield Line("training", trained, f"{spent.trained_s / _HOUR_S:,.1f} hours")
    if hour is None:
        yield Line("GPU that waits", None, "known only by `gpu_hour_usd`")
    else:
        idle = _idle(hour, answered, spent) if spent.waits_usd is None else spent.waits_usd
        yield Line("GPU that waits", idle, f"of {spent.served_s / _HOUR_S:,.1f} hours for students")


def waits_usd(config: Config, sums: Sequence[Sum], spent: Spent) -> float | None:
    """Of the GPU that all students share, what no answer and no training has paid for; None without its price."""
    price = config.student.price
    if price is None or price.gpu_hour_usd is None:
        return None
    return _idle(price.gpu_hour_usd, _cost([one for one in sums if one.kind == "student"]), spent)


def together(spent: Collection[Spent]) -> Spent:
    judged = [one.judged_usd for one in spent if one.judged_usd is not None]
    return Spent(
        judged_usd=math.fsum(judged) if judged else None,
        trained_s=math.fsum(one.trained_s for one in spent),
        served_s=math.fsum(one.served_s for one in spent),
    )


def part_of(spent: Spent, whole: Spent, waits: float | None) -> Spent:
    """With the part in ``waits``, by time: what one workload's answers leave of it may be used by another's."""
    part = spent.served_s / whole.served_s if whole.served_s else 0.0
    return spent._replace(waits_usd=None if waits is None else waits * part)


def _idle(hour_usd: float, answered: float | None, spent: Spent) -> float:
    hours = (spent.served_s - spent.trained_s) / _HOUR_S
    return max(0.0, hours * hour_usd - (answered or 0.0))


def _avoided(config: Config, students: Sequence[Sum]) -> tuple[float | None, int]:
    """What the models that were asked for would have cost, by the students' counts of tokens; rows without price."""
    prices = prices_of(config)
    costs, unpriced = [], 0
    for one in students:
        price = price_for(None, one.requested, prices)
        cost = cost_usd(Usage(one.prompt, one.completion, one.cached, None, None), price)
        if cost is None:
            unpriced += one.rows
        else:
            costs.append(cost)
    return (math.fsum(costs) if costs else None), unpriced


def _unknown(config: Config, teacher: Sequence[Sum], by_kind: dict[str, list[Sum]], unpriced: int) -> Iterable[str]:
    without_cost = sum(one.rows - one.priced for one in teacher)
    if without_cost:
        yield f"{without_cost:,} answers of teachers have no cost: their model is not in `prices`, or they failed"
    if unpriced:
        yield f"{unpriced:,} answers of students have no price without us: the model asked for is not in `prices`"
    if by_kind["student"] and config.student.price is None:
        yield "students' answers have no cost: `student.price` is not set"


def _cost(sums: Sequence[Sum]) -> float | None:
    """None where no cost is known; a span without exchanges costs nothing."""
    known = [one.cost for one in sums if one.cost is not None]
    return math.fsum(known) if known or not sums else None


def _rows(sums: Sequence[Sum]) -> str:
    return f"{sum(one.rows for one in sums):,} answers"


def _total(lines: Iterable[Line]) -> float:
    return math.fsum(line.usd for line in lines if line.usd is not None)


def kept_s(history: Sequence[Change], since: datetime, until: datetime) -> dict[str, float]:
    """Seconds of [since, until) in which replicas had an adapter to hold, by workload.

    A moment in which several wanted one is divided among them, so that all together are as long as it was for any.
    """
    kept: dict[str, float] = {}
    wanting: set[str] = set()
    times = [*accumulate((change.time for change in history), max), until.isoformat()]  # a clock may be set back
    for change, (begin, end) in zip(history, pairwise(times), strict=True):
        if change.after.wanted():
            wanting.add(change.workload)
        else:
            wanting.discard(change.workload)
        seconds = overlap_s(begin, end, since, until)
        if seconds:
            kept |= {name: kept.get(name, 0.0) + seconds / len(wanting) for name in wanting}
    return kept


def overlap_s(begin: str | datetime, end: str | datetime, since: datetime, until: datetime) -> float:
    """Seconds of [begin, end) that lie in [since, until)."""
    first, last = (datetime.fromisoformat(time) if isinstance(time, str) else time for time in (begin, end))
    first, last = (time if time.tzinfo else time.replace(tzinfo=UTC) for time in (first, last))
    return max(0.0, (min(last, until) - max(first, since)).total_seconds())
