"""What a workload's exchanges add up to: every one of them is counted, none is parsed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import duckdb
import msgspec

UNUSABLE: dict[str, str] = {
    "not_a_chat": "no chat completion",
    "student_served": "answered by a student",
    "cut": "cut: the client left, or the upstream broke off",
    "failed": "failed",
    "truncated": "ran into the token limit",
    "filtered": "stopped by the content filter",
    "no_text": "text not recorded",
}
"""Why an exchange cannot be learned from; the words are those of a dataset's card."""

_REASON = """case
    when endpoint <> '/chat/completions' then 'not_a_chat'
    when target <> 'teacher' then 'student_served'
    when not complete then 'cut'
    when status is distinct from 200 or error_type is not null then 'failed'
    when finish_reason = 'length' then 'truncated'
    when finish_reason = 'content_filter' then 'filtered'
    when request is null or response is null then 'no_text'
end"""
_DAY = timedelta(days=1)
_WEEK = 7 * _DAY


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, sums and quantiles."""

    rows: int
    usable: int
    """Answers of the teacher that can be learned from, as far as columns tell."""
    unusable: dict[str, int]
    """By reason."""
    groups: int
    """Conversations among the usable: what is split into training and test, and what the gate counts."""
    first_seen: str
    last_seen: str
    days: float
    """Between the two, one at the least."""
    is_a_moment: bool
    """All of it came within a day, as an import may: how much comes in a day cannot be told."""
    spend_usd: float | None
    """Null if the cost of no exchange is known."""
    priced: int
    """Exchanges of which the cost is known."""
    prompt_tokens: tuple[float, float] | None
    """Median, and what 95 % stay below."""
    completion_tokens: tuple[float, float] | None
    newest_week: int
    """Exchanges of the last seven days before the newest."""
    week_before: int | None
    """Null if there is less than two weeks."""

    @property
    def rows_per_day(self) -> float:
        return self.rows / self.days

    @property
    def usable_per_day(self) -> float | None:
        return None if self.is_a_moment else self.usable / self.days


def choose(store: duckdb.DuckDBPyConnection, condition: str, values: list[Any]) -> None:
    """Make the table ``chosen`` of what the figures need; bodies go by once, to see whether they are there."""
    store.execute(
        f"""create table chosen as select id, time, coalesce(conversation, id) as conversation, cost_usd,
            prompt_tokens, completion_tokens, {_REASON} as unusable from exchanges where {condition}""",
        values,
    )


def read_figures(store: duckdb.DuckDBPyConnection) -> Figures | None:
    """Of the exchanges that were chosen; None if there are none."""
    (row,) = store.execute(
        """select count(*), count(distinct conversation) filter (unusable is null),
            min(time), max(time), sum(cost_usd), count(cost_usd),
            quantile_cont(prompt_tokens, [0.5, 0.95]), quantile_cont(completion_tokens, [0.5, 0.95])
            from chosen"""
    ).fetchall()
    rows, groups, first, last, spend, priced, prompt, completion = row
    if not rows:
        return None
    reasons = store.execute("select unusable, count(*) from chosen group by unusable").fetchall()
    counts = {reason: count for reason, count in reasons if reason is not None}
    ((newest_week, week_before),) = store.execute(
        "select count(*) filter (time > ?), count(*) filter (time <= ? and time > ?) from chosen",
        [last - _WEEK, last - _WEEK, last - 2 * _WEEK],
    ).fetchall()
    return Figures(
        rows=rows,
        usable=rows - sum(counts.values()),
        unusable={reason: counts[reason] for reason in UNUSABLE if reason in counts},
        groups=groups,
        first_seen=first.isoformat(),
        last_seen=last.isoformat(),
        days=max((last - first) / _DAY, 1.0),
        is_a_moment=last - first < _DAY,
        spend_usd=spend,
        priced=priced,
        prompt_tokens=prompt and tuple(prompt),
        completion_tokens=completion and tuple(completion),
        newest_week=newest_week,
        week_before=week_before if last - first >= 2 * _WEEK else None,
    )
