"""Exchanges picked out of the store: the newest that match, or the one that an id means.

Bodies are large: they are read for the few exchanges that are shown, and not for all of these at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from nightschool.errors import StoreError
from nightschool.store.filter import Filter
from nightschool.store.query import ask
from nightschool.store.reader import EVERYTHING, Window
from nightschool.wire.turns import last_question

Row = dict[str, Any]
Key = tuple[Any, ...]
"""Id and time of an exchange."""
BODIES = ("request", "response", "logprobs")


class UnknownExchange(StoreError):
    """No exchange, or more than one, is meant."""


_AT_ONCE = 500
_SHORTEST_PIECE = 4
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NEAR_US = 1_000_000


def newest(folder: Path, filters: Filter, *, limit: int) -> list[Row]:
    """The newest exchanges that match, newest first, as ``listed``."""
    condition, values = filters.condition()

    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        query = f"select id, time from exchanges where {condition} order by time desc, id desc limit ?"
        found = store.execute(query, [*values, limit]).fetchall()
        return listed(store, found)

    return ask(folder, question, filters.window)


def one(folder: Path, piece: str) -> Row:
    """The exchange whose id is ``piece``, or begins or ends with it; UnknownExchange unless there is exactly one."""
    return _only(folder, piece, whole)


def meant_id(folder: Path, piece: str) -> str:
    """The id of this exchange, in full."""
    identity: str = _only(folder, piece, lambda _, keys: ({"id": identity} for identity, _ in keys))["id"]
    return identity


_Read = Callable[[duckdb.DuckDBPyConnection, Sequence[Key]], Iterator[Row]]


def _only(folder: Path, piece: str, read: _Read) -> Row:
    piece = piece.strip().lower()
    if len(piece) < _SHORTEST_PIECE:
        raise UnknownExchange(f"{piece!r} is too short for an id", remedy=f"give at least {_SHORTEST_PIECE} characters")
    if _UUID7.fullmatch(piece):
        near = _window_of(piece)
        rows = _matching(folder, "id = ?", [piece], read, near) or _matching(folder, "id = ?", [piece], read)
    else:
        rows = _matching(folder, "starts_with(id, ?) or ends_with(id, ?)", [piece, piece], read)
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


def _matching(
    folder: Path, condition: str, values: Sequence[Any], read: _Read, window: Window = EVERYTHING
) -> list[Row]:
    def question(store: duckdb.DuckDBPyConnection) -> list[Row]:
        found = store.execute(f"select id, time from exchanges where {condition} limit 6", values).fetchall()
        return list(read(store, found))

    return ask(folder, question, window)


def whole(store: duckdb.DuckDBPyConnection, keys: Sequence[Key]) -> Iterator[Row]:
    """All columns of these exchanges, in this order."""
    return _read(store, keys, "*", _AT_ONCE)


def listed(store: duckdb.DuckDBPyConnection, keys: Sequence[Key], *, at_once: int = _AT_ONCE) -> list[Row]:
    """What a list shows of these exchanges, in this order: all columns but the bodies, and ``last_question``.

    ``at_once`` is for how many of them the bodies are held together.
    """
    columns = f"* exclude ({', '.join(BODIES)}), request"
    return [_with_question(row) for row in _read(store, keys, columns, at_once)]


def _with_question(row: Row) -> Row:
    request = row.pop("request")
    return {**row, "last_question": last_question(request)}


def _read(store: duckdb.DuckDBPyConnection, keys: Sequence[Key], columns: str, at_once: int) -> Iterator[Row]:
    for begin in range(0, len(keys), at_once):
        some = keys[begin : begin + at_once]
        try:
            yield from _portion(store, some, columns)
        except duckdb.OutOfMemoryException:
            if len(some) == 1:
                raise
            yield from _read(store, some, columns, len(some) // 2)


def _portion(store: duckdb.DuckDBPyConnection, keys: Sequence[Key], columns: str) -> list[Row]:
    times = [time for _, time in keys]
    ids = [identity for identity, _ in keys]
    query = f"select {columns} from exchanges where time between ? and ? and id in (select unnest(?))"
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
