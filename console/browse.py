"""Exchanges page by page, newest first, found from the end of the store: a page reads what it shows, and little more.

A page begins behind a place (time and id of the row before it), so that what arrives meanwhile moves nothing. Text is
looked for in the bodies, which is slow: it is looked for in spans that grow, for a few seconds, and the page says how
far back it has come.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import duckdb

from console.asking import Asking
from nightschool.store.filter import Filter, moment
from nightschool.store.listing import Row, whole
from nightschool.store.reader import Window

ROWS = 50
_SPANS = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
_PATIENCE_S = 2.5


class Place(NamedTuple):
    """Of a row in the order of time."""

    time_us: int
    id: str

    @classmethod
    def of(cls, row: Row) -> Place:
        return cls(_microseconds(row["time"]), row["id"])

    @classmethod
    def read(cls, text: str) -> Place | None:
        """None where it is none."""
        time_us, _, identity = text.partition("~")
        return cls(int(time_us), identity) if time_us.isdigit() and len(time_us) < 18 and identity else None

    def __str__(self) -> str:
        return f"{self.time_us}~{self.id}"


class Found(NamedTuple):
    """A page."""

    rows: list[Row]
    after: Place | None
    """Where the next page begins; None where there is none."""
    searched_to: datetime | None
    """Where time ran out before the page was full: up to here all was looked at."""


def older(asking: Asking, filters: Filter, behind: Place | None, *, limit: int = ROWS) -> Found:
    """The newest that match, of those older than ``behind``."""
    rows: list[Row] = []
    began, at = time.monotonic(), behind
    for window in _windows(asking, filters, behind):
        rows += _read(asking, replace(filters, window=window), at, limit + 1 - len(rows), ascending=False)
        at = Place.of(rows[-1]) if rows else at
        if len(rows) > limit:
            return Found(rows[:limit], Place.of(rows[limit - 1]), None)
        if filters.text is not None and time.monotonic() - began > _PATIENCE_S and window.since_us is not None:
            return Found(rows, Place(window.since_us, "0"), moment(window.since_us))
    return Found(rows, None, None)


def newer(asking: Asking, filters: Filter, before: Place) -> Row | None:
    """The next one that matches on the way to the present; within a week, as far as text has to be looked for."""
    until_us = before.time_us + int(_SPANS[2].total_seconds() * 1e6) if filters.text is not None else None
    window = Window(before.time_us, until_us)
    rows = _read(asking, replace(filters, window=window), before, 1, ascending=True)
    return rows[0] if rows else None


def _windows(asking: Asking, filters: Filter, behind: Place | None) -> Iterator[Window]:
    """Spans back from the place, each longer than the one before, the last without an end."""
    since_us, until_us = filters.window.since_us, filters.window.until_us
    newest_us = behind.time_us + 1 if behind is not None else _newest_us(asking)
    end_us = newest_us if until_us is None else min(newest_us, until_us)
    for span in _SPANS:
        begin_us = end_us - int(span.total_seconds() * 1e6)
        if since_us is not None and begin_us <= since_us:
            break
        yield Window(begin_us, end_us)
        end_us = begin_us
    yield Window(since_us, end_us)


def _newest_us(asking: Asking) -> int:
    """Just behind the newest exchange: an imported store may end long ago."""

    def question(store: duckdb.DuckDBPyConnection) -> int:
        ((newest,),) = store.execute("select max(time) from exchanges").fetchall()
        return _microseconds(newest or datetime.now(UTC)) + 1

    return asking.remembered("newest", lambda: asking.ask(question))


def _read(asking: Asking, filters: Filter, at: Place | None, limit: int, *, ascending: bool) -> list[Row]:
    condition, values = filters.condition()
    order, sign = ("asc", ">") if ascending else ("desc", "<")
    if at is not None:
        condition, values = f"{condition} and (time, id) {sign} (?, ?)", [*values, moment(at.time_us), at.id]
    query = f"select id, time from exchanges where {condition} order by time {order}, id {order} limit ?"

    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        return whole(store, store.execute(query, [*values, limit]).fetchall())

    return asking.ask(question, filters.window)


def _microseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
