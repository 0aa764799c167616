"""Exchanges picked out of the store: the newest that match, or the one that an id means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from nightschool.errors import StoreError
from nightschool.store.filter import Filter
from nightschool.store.query import ask
from nightschool.store.reader import EVERYTHING, Window

Row = dict[str, Any]


class UnknownExchange(StoreError):
    """No exchange, or more than one, is meant."""


_SHORTEST_PIECE = 4
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NEAR_US = 1_000_000


def newest(folder: Path, filters: Filter, *, limit: int) -> list[Row]:
    """The newest exchanges that match, newest first."""
    condition, values = filters.condition()

    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        # Narrow columns first: bodies are read for the few rows that are shown, not for all that are sorted.
        query = f"select id, time from exchanges where {condition} order by time desc, id desc limit ?"
        found = store.execute(query, [*values, limit]).fetchall()
        return whole(store, found)

    return ask(folder, question, filters.window)


def one(folder: Path, piece: str) -> Row:
    """The exchange whose id is ``piece``, or begins or ends with it; UnknownExchange unless there is exactly one."""
    piece = piece.strip().lower()
    if len(piece) < _SHORTEST_PIECE:
        raise UnknownExchange(f"{piece!r} is too short for an id", remedy=f"give at least {_SHORTEST_PIECE} characters")
    if _UUID7.fullmatch(piece):
        rows = _matching(folder, "id = ?", [piece], _window_of(piece)) or _matching(folder, "id = ?", [piece])
    else:
        rows = _matching(folder, "starts_with(id, ?) or ends_with(id, ?)", [piece, piece])
    if not rows:
        raise UnknownExchange(f"there is no exchange {piece}", remedy="`nightschool logs list` shows the newest")
    if len(rows) > 1:
        listed = ", ".join(row["id"] for row in rows[:5])
        raise UnknownExchange(f"{piece} fits several exchanges: {listed}", remedy="give more of the id")
    return rows[0]


def feedback_about(folder: Path, identity: str) -> list[Row]:
    """What was said about an exchange, oldest first."""
    query = "select time, score, comment, user from feedback where exchange_id = ? order by time"

    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        return _named(store.execute(query, [identity]))

    return ask(folder, question)


def _matching(folder: Path, condition: str, values: Sequence[Any], window: Window = EVERYTHING) -> list[Row]:
    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        found = store.execute(f"select id, time from exchanges where {condition} limit 6", values).fetchall()
        return whole(store, found)

    return ask(folder, question, window)


def whole(store: duckdb.DuckDBPyConnection, keys: Sequence[tuple[Any, ...]]) -> list[Row]:
    """All columns of the exchanges with these (id, time), in this order: bodies are read for these few alone."""
    if not keys:
        return []
    times = [time for _, time in keys]
    ids = [identity for identity, _ in keys]
    query = "select * from exchanges where time between ? and ? and id in (select unnest(?))"
    answer = store.execute(query, [min(times), max(times), ids])
    rows = {row["id"]: row for row in _named(answer)}
    return [rows[identity] for identity in ids]


def _named(answer: duckdb.DuckDBPyConnection) -> list[Row]:
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _window_of(identity: str) -> Window:
    """An id tells when it was made, and with that in which few segments to look."""
    made_us = int(identity.replace("-", "")[:12], 16) * 1000
    return Window(made_us - _NEAR_US, made_us + _NEAR_US)
