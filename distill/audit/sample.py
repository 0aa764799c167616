"""Which answers of a student are audited: a stable share of them, told by their ids, the newest first.

What comes faster than it can be compared is left out, so that a student is judged by what it does today.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from distill.draw import drawn
from nightschool.record import Record
from nightschool.store.query import ask
from nightschool.store.reader import Window

SLACK_US = 15 * 60 * 1_000_000
"""A long answer is recorded after shorter ones that were asked later: look back so far for it. What has waited for
longer beside newer ones is left out."""
_COLUMNS = (
    "id", "epoch_us(time) as time_us", "request", "response", "fingerprint", "conversation", "tags", "target",
    "error_type",
)  # fmt: skip
# Not those whom a caller asked for by name: that is no fair sample, and the teacher does not know the name.
_OF_STUDENT = "target = 'student' and adapter = $adapter and reason in ('canary', 'live', 'tool_loop')"
_GOOD = f"({_OF_STUDENT} and status = 200 and complete and error_type is null and response is not null)"
# Where its teacher did not stand in, and where it did. Older records do not say which student that was: they count for
# none.
_INVALID = (
    f"({_OF_STUDENT} and error_type = 'invalid_output' "
    "or target = 'teacher' and reason = 'fallback_invalid' and failed_adapter = $adapter)"
)


class Sampled(NamedTuple):
    """One exchange that a student was to answer."""

    id: str
    time_us: int
    request: str
    response: str | None
    """None only where the student has failed."""
    fingerprint: str | None
    conversation: str | None
    tags: dict[str, str]
    failed: bool
    """The student gave nothing that could be used: its teacher answered, or the client was told."""


class Wish(NamedTuple):
    """Whose answers, and which of them."""

    workload: str
    adapter: str
    since_us: int
    known: Collection[str]
    """Ids that were audited already."""
    share: float
    """Per cent."""
    most: int


def sample(data: Path, wish: Wish) -> list[Sampled]:
    """At most ``most`` of them, in the order of their time. Bodies are read only of those that are taken."""
    window = Window(since_us=wish.since_us)
    chosen = ask(data, lambda store: _chosen(store, wish), window)
    return ask(data, lambda store: _read(store, chosen), window) if chosen else []


def recorded(data: Path, ids: Collection[str], since_us: int) -> dict[str, Record]:
    """Those of them that are in the store, with answer and cost only: a pass that was killed has left them."""
    if not ids:
        return {}
    places = ", ".join("?" * len(ids))
    rows = ask(
        data,
        lambda store: store.execute(
            f"select id, epoch_us(time), response, cost_usd from exchanges where id in ({places})", [*ids]
        ).fetchall(),
        Window(since_us=since_us),
    )
    return {
        identity: Record(id=identity, time_us=time_us, response=response, cost_usd=cost)
        for identity, time_us, response, cost in rows
    }


def _chosen(store: duckdb.DuckDBPyConnection, wish: Wish) -> list[str]:
    cursor = store.execute(
        "select id from exchanges where workload = $workload and time >= make_timestamptz($since_us) "
        f"and ({_GOOD} or {_INVALID}) "
        "and endpoint = '/chat/completions' and request is not null order by time desc, id desc",
        {"workload": wish.workload, "since_us": wish.since_us, "adapter": wish.adapter},
    )
    return list(islice(drawn(cursor, "audit", wish.share, known=wish.known), wish.most))


def _read(store: duckdb.DuckDBPyConnection, chosen: list[str]) -> list[Sampled]:
    places = ", ".join("?" * len(chosen))
    rows = store.execute(
        f"select {', '.join(_COLUMNS)} from exchanges where id in ({places}) order by time, id", chosen
    ).fetchall()
    return [_sampled(*row) for row in rows]


def _sampled(
    identity: str, time_us: int, request: str, response: str | None, fingerprint: str | None, conversation: str | None,
    tags: Any, target: str, error_type: str | None,
) -> Sampled:  # fmt: skip
    failed = target == "teacher" or error_type is not None
    return Sampled(identity, time_us, request, response, fingerprint, conversation, dict(tags or {}), failed)
