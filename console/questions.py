"""The last questions of a few exchanges, for lists."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from console.asking import BODIES_AT_ONCE, Asking
from nightschool.store.listing import listed

CHARACTERS = 240


def last_questions(asking: Asking, identities: Sequence[str]) -> dict[str, str]:
    """By id, on one line each; without those that are not in the store any more."""
    if not identities:
        return {}

    def question(store: duckdb.DuckDBPyConnection) -> dict[str, str]:
        marks = ", ".join("?" * len(identities))
        found = store.execute(f"select id, time from exchanges where id in ({marks})", list(identities)).fetchall()
        rows = listed(store, found, at_once=BODIES_AT_ONCE)
        return {row["id"]: row["last_question"][:CHARACTERS] for row in rows}

    return asking.ask(question)
