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

from console.asking import BODIES_AT_ONCE, Asking
from nightschool.store.filter import Filter, microseconds, moment
from nightschool.store.listing import Row, listed
from nightschool.store.reader import Window

ROWS = 50
_SPANS = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30))
_PATIENCE_S, _MOMENT_S = 1.5, 0.3
_US = timedelta(microseconds=1)


class Place(NamedTuple):
    """Of a row in the order of time."""

    time_us: int
    id: str

    @classmethod
    def of(cls, row: Row) -> Place:
        return cls(microseconds(row["time"]), row["id"])

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
    if filters.text is not None:
        return _with_text(asking, filters, behind, limit)
    rows: list[Row] = []
    at = behind
    for window in _windows(asking, filters, behind):
        rows += _read(asking, replace(filters, window=window), at, limit + 1 - len(rows), ascending=False)
        at = Place.of(rows[-1]) if rows else at
        if len(rows) > limit:
            return Found(rows[:limit], Place.of(rows[limit - 1]), None)
    return Found(rows, None, None)


def _with_text(asking: Asking, filters: Filter, behind: Place | None, limit: int) -> Found:
    """In spans that are as long as can be looked through in a moment, until patience ends."""
    rows: list[Row] = []
    oldest_us, end_us = _limits(asking, filters, behind)
    began, at, span_us = time.monotonic(), behind, _SPANS[0] // _US
    while end_us > oldest_us:
        looked = time.monotonic()
        begin_us = max(end_us - span_us, oldest_us)
        window = Window(begin_us, end_us)
        rows += _read(asking, replace(filters, window=window), at, limit + 1 - len(rows), ascending=False)
        at = Place.of(rows[-1]) if rows else at
        if len(rows) > limit:
            return Found(rows[:limit], Place.of(rows[limit - 1]), None)
        end_us = begin_us
        if time.monotonic() - began > _PATIENCE_S and end_us > oldest_us:
            return Found(rows, Place(end_us, "0"), moment(end_us))
        if time.monotonic() - looked < _MOMENT_S:
            span_us *= 3
    return Found(rows, None, None)


def newer(asking: Asking, filters: Filter, before: Place) -> Row | None:
    """The next one that matches on the way to the present; within a week, as far as text has to be looked for."""
    until_us = before.time_us + _SPANS[2] // _US if filters.text is not None else None
    window = Window(before.time_us, until_us)
    rows = _read(asking, replace(filters, window=window), before, 1, ascending=True)
    return rows[0] if rows else None


def _windows(asking: Asking, filters: Filter, behind: Place | None) -> Iterator[Window]:
    """Spans back from the place, each longer than the one before, the last without an end."""
    since_us, end_us = filters.window.since_us, _limits(asking, filters, behind)[1]
    for span in _SPANS:
        begin_us = end_us - span // _US
        if since_us is not None and begin_us <= since_us:
            break
        yield Window(begin_us, end_us)
        end_us = begin_us
    yield Window(since_us, end_us)


def _limits(asking: Asking, filters: Filter, behind: Place | None) -> tuple[int, int]:
    """From where, and up to where without it, there can be anything: an imported store may end long ago."""

    def question(store: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        ((oldest, newest),) = store.execute("select min(time), max(time) from exchanges").fetchall()
        now = datetime.now(UTC)
        return microseconds(oldest or now), microseconds(newest or now) + 1

    oldest_us, end_us = asking.remembered("limits", lambda: asking.ask(question))
    since_us, until_us = filters.window.since_us, filters.window.until_us
    if behind is not None:
        end_us = behind.time_us + 1
    return (
        oldest_us if since_us is None else max(oldest_us, since_us),
        end_us if until_us is None else min(end_us, until_us),
    )


def _read(asking: Asking, filters: Filter, at: Place | None, limit: int, *, ascending: bool) -> list[Row]:
    condition, values = filters.condition()
    order, sign = ("asc", ">") if ascending else ("desc", "<")
    if at is not None:
        condition, values = f"{condition} and (time, id) {sign} (?, ?)", [*values, moment(at.time_us), at.id]
    query = f"select id, time from exchanges where {condition} order by time {order}, id {order} limit ?"

    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        return listed(store, store.execute(query, [*values, limit]).fetchall(), at_once=BODIES_AT_ONCE)

    return asking.ask(question, filters.window)
