"""The label that counts where an exchange has several."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from nightschool.wire import json_text

NEWEST = "(select * from labels qualify row_number() over (partition by exchange_id order by time desc, message) = 1)"
"""SQL: the newest label of each exchange."""


class NewestLabel(NamedTuple):
    """The answer that somebody has said is right."""

    message: str
    author: str | None
    source: str | None
    time: datetime

    @property
    def answer(self) -> dict[str, Any]:
        """The message."""
        value = json_text.decode(self.message.encode())
        assert isinstance(value, dict)
        return value


def newest_label(store: duckdb.DuckDBPyConnection, exchange: str) -> NewestLabel | None:
    query = f"select message, author, source, time from {NEWEST} where exchange_id = ?"
    found = store.execute(query, [exchange]).fetchall()
    return NewestLabel(*found[0]) if found else None
