"""What was recorded in a span of days, added up: by workload, by who answered, by time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from console.asking import Asking
from nightschool.store.reader import Window

_DAY = timedelta(days=1)
SPANS = (1, 7, 30, 90)
"""Days that a page can show."""
KINDS = ("teacher", "student", "fallback", "audit")
KIND_WORDS = {
    "teacher": "by the teacher",
    "student": "by a student",
    "fallback": "by the teacher, for a student that failed",
    "audit": "asked by the audit",
}
_KIND = """case when reason = 'audit' then 'audit' when target = 'student' then 'student'
    when starts_with(reason, 'fallback_') then 'fallback' else 'teacher' end"""
_QUERY = f"""
    select workload, {_KIND} as kind, date_trunc(?, time) as bucket,
        case when target = 'student' then model_requested end as requested,
        count(*), count(*) filter (not complete or error_type is not null or coalesce(status, 500) >= 400),
        sum(cost_usd), count(cost_usd), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens)
    from exchanges where time >= ? group by all"""
_LATENCY = f"""
    select workload, {_KIND} as kind, approx_quantile(latency_ms, 0.5) from exchanges
    where time >= ? and latency_ms is not null group by all"""


class Sum(NamedTuple):
    """Exchanges that have these in common."""

    workload: str | None
    kind: str
    bucket: datetime
    requested: str | None
    """The model that was asked for, where a student answered instead."""
    rows: int
    errors: int
    cost: float | None
    """USD, as far as it is known."""
    priced: int
    """Exchanges of which the cost is known."""
    prompt: int
    cached: int
    completion: int


class Traffic(NamedTuple):
    """All sums of a span."""

    since: datetime
    step: timedelta
    buckets: list[datetime]
    sums: list[Sum]
    latency: dict[tuple[str | None, str], float]
    """Median milliseconds of the last day, by workload and kind."""

    def of(self, workload: str | None) -> list[Sum]:
        return [one for one in self.sums if one.workload == workload]

    @property
    def workloads(self) -> list[str | None]:
        """Those with the most exchanges first; None is what no rule names."""
        rows: dict[str | None, int] = defaultdict(int)
        for one in self.sums:
            rows[one.workload] += one.rows
        return sorted(rows, key=lambda name: (name is None, -rows[name]))

    def by_bucket(self, chosen: Iterable[Sum], value: Callable[[Sum], float]) -> list[float]:
        """One number for each bucket, 0 where there is nothing."""
        totals: dict[datetime, float] = defaultdict(float)
        for one in chosen:
            totals[one.bucket] += value(one)
        return [totals[bucket] for bucket in self.buckets]


def rows_of(sums: Iterable[Sum]) -> int:
    return sum(one.rows for one in sums)


def clients(sums: Iterable[Sum]) -> list[Sum]:
    """What applications asked, without what we asked ourselves."""
    return [one for one in sums if one.kind != "audit"]


def read_traffic(asking: Asking, days: int, *, now: datetime | None = None) -> Traffic:
    """Of the last ``days`` days, remembered for as long as nothing new is recorded."""
    step, unit = (timedelta(hours=1), "hour") if days <= 2 else (timedelta(days=1), "day")
    newest = _floor(now or datetime.now(UTC), unit)
    since = newest - timedelta(days=days) + step
    return asking.remembered(("traffic", days, newest), lambda: _read(asking, since, newest, step, unit))


def _read(asking: Asking, since: datetime, newest: datetime, step: timedelta, unit: str) -> Traffic:
    def question(store: duckdb.DuckDBPyConnection) -> tuple[list[Any], list[Any]]:
        sums = store.execute(_QUERY, [unit, since]).fetchall()
        return sums, store.execute(_LATENCY, [max(since, newest + step - _DAY)]).fetchall()

    rows, latencies = asking.ask(question, Window(since_us=int(since.timestamp() * 1e6)))
    count = (newest - since) // step + 1
    return Traffic(
        since=since,
        step=step,
        buckets=[since + n * step for n in range(count)],
        sums=[_sum(row) for row in rows],
        latency={(workload, kind): median for workload, kind, median in latencies},
    )


def _sum(row: Sequence[Any]) -> Sum:
    workload, kind, bucket, requested, rows, errors, cost, priced, prompt, cached, completion = row
    return Sum(
        workload, kind, bucket.astimezone(UTC), requested, rows, errors, cost, priced,
        prompt or 0, cached or 0, completion or 0,
    )  # fmt: skip


def _floor(time: datetime, unit: str) -> datetime:
    start = time.replace(minute=0, second=0, microsecond=0)
    return start if unit == "hour" else start.replace(hour=0)
