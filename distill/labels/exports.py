"""Exchanges -> lines that a person corrects and ``labels import`` reads.

``message`` is the label that there is, or else the logged answer, ready to be edited.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import msgspec

from distill.labels.answer import logged_answer
from distill.labels.newest import NEWEST
from distill.selection import Selection, UnknownWorkload
from distill.workloads.selected import condition_of
from nightschool.store.query import ask
from nightschool.wire import json_text

_CHUNK = 500


def export_labels(
    folder: Path, selection: Selection, open_file: Callable[[], AbstractContextManager[BinaryIO]], *, limit: int
) -> int:
    """Write the newest exchanges that have an answer, newest first; returns how many."""

    def question(store: duckdb.DuckDBPyConnection) -> int:
        condition, values = condition_of(store, folder, selection)
        chosen = f"select id, time from exchanges where {condition} and response is not null"
        query = f"""
            select exchanges.id, request, response, message, author, source
            from exchanges join ({chosen} order by time desc, id limit ?) using (id)
            left join {NEWEST} as label on label.exchange_id = exchanges.id
            order by exchanges.time desc, exchanges.id"""
        answer = store.execute(query, [*values, limit])
        written = 0
        with open_file() as file:
            while rows := answer.fetchmany(_CHUNK):
                for row in rows:
                    if line := line_of(*row):
                        file.write(line + b"\n")
                        written += 1
        return written

    written = ask(folder, question, selection.window)
    if not written:
        raise UnknownWorkload(
            f"no answer is recorded for {selection.in_words()}",
            remedy="`nightschool logs list` shows what is; --where picks exchanges that have no workload",
        )
    return written


def line_of(
    identity: str,
    request: str | None,
    response: str | None,
    message: str | None,
    author: str | None,
    source: str | None,
) -> bytes | None:
    """One line, without its end; None for an exchange without an answer."""
    answer = logged_answer(response)
    if answer is None and message is None:
        return None
    label = answer if message is None else json_text.decode(message.encode())
    line = {"id": identity, "question": _question(request), "answer": answer, "message": label}
    return msgspec.json.encode({**line, "author": author, "source": source})


def _question(request: str | None) -> Any:
    """The last message of the prompt, for the person who judges the answer."""
    try:
        messages = json_text.decode((request or "").encode("utf-8", "replace"))["messages"]
        return messages[-1].get("content")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
