"""A stable share of the exchanges: told by their ids, so that nobody has to remember who was drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator

import duckdb

_AT_ONCE = 10_000


def drawn(rows: duckdb.DuckDBPyConnection, purpose: str, share: float, *, known: Collection[str]) -> Iterator[str]:
    """Of the ids that a query gives, in its order, so many per cent, without those that are known."""
    while some := rows.fetchmany(_AT_ONCE):
        for (exchange,) in some:
            if exchange not in known and is_drawn(purpose, exchange, share):
                yield exchange


def is_drawn(purpose: str, exchange: str, share: float) -> bool:
    """Whether an exchange is among so many per cent: always the same ones, and with a greater share more of them."""
    place = int.from_bytes(hashlib.sha256(f"{purpose}\n{exchange}".encode()).digest()[:8], "big") / 2**64
    return place * 100 < share
