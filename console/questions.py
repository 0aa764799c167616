"""The last questions of a few exchanges, for lists."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from console.asking import Asking
from nightschool.store.listing import whole
from nightschool.wire.turns import last_question

CHARACTERS = 240


def last_questions(asking: Asking, identities: Sequence[str]) -> dict[str, str]:
    """By id, on one line each; without those that are not in the store any more."""
    if not identities:
        return {}

    def question(store: duckdb.DuckDBPyConnection) -> dict[str, str]:
        marks = ", ".join("?" * len(identities))
        found = store.execute(f"select id, time from exchanges where id in ({marks})", list(identities)).fetchall()
        return {row["id"]: last_question(row["request"])[:CHARACTERS] for row in whole(store, found)}

    return asking.ask(question)
