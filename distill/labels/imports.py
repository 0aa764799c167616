"""Lines of a file -> labels of exchanges that are there.

    read -> check -> find the exchange -> leave out what says nothing new -> append

A line names its exchange by ``id``, or by ``conversation`` and ``position`` (how many messages come before the answer).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from distill.labels.answer import written_answer
from distill.labels.newest import NEWEST
from nightschool.errors import ImportFileError
from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.imports.item import Item, Unreadable, read_items
from nightschool.store.query import ask
from nightschool.store.schema import table_of
from nightschool.wire import json_text

NAMED = 20
BATCH = 5_000


@dataclass
class Imported:
    """What came of an import."""

    labels: int = 0
    unchanged: int = 0
    """Lines whose message is the logged answer, without an author who vouches for it."""
    already_there: int = 0
    unknown: int = 0
    bad_lines: int = 0
    faults: list[str] = field(default_factory=list)
    """What was wrong with the first of them."""

    def refuse(self, fault: str) -> None:
        self.bad_lines += 1
        self._name(fault)

    def miss(self, fault: str) -> None:
        self.unknown += 1
        self._name(fault)

    def _name(self, fault: str) -> None:
        if len(self.faults) < NAMED:
            self.faults.append(fault)


class Line(NamedTuple):
    """One line that can be read."""

    place: str
    id: str | None
    conversation: str | None
    position: int | None
    message: str
    author: str | None
    source: str | None

    @property
    def name(self) -> str:
        return self.id or f"conversation {self.conversation}, position {self.position}"


def import_labels(folder: Path, path: Path, *, author: str | None = None, source: str | None = None) -> Imported:
    """Bring in the labels of a JSONL file; ``author`` and ``source`` stand in where a line tells none.

    Importing a file again adds nothing. Raises ImportFileError if nothing in it was of use.
    """
    result = Imported()
    batch: list[Line] = []
    for line in _lines(path, result, author, source):
        batch.append(line)
        if len(batch) >= BATCH:
            _take(folder, batch, result)
            batch = []
    _take(folder, batch, result)
    if result.bad_lines + result.unknown and not (result.labels or result.already_there or result.unchanged):
        raise ImportFileError(
            f"{path} holds no label of an exchange that is here: {result.faults[0]}",
            remedy="`nightschool labels export W` writes lines with ids that are; `data:` names the folder",
        )
    return result


def _lines(path: Path, result: Imported, author: str | None, source: str | None) -> Iterator[Line]:
    for item in read_items(path):
        try:
            line = _read(item, author, source)
        except Unreadable as fault:
            result.refuse(f"{path.name}: {item.place} {fault}")
        else:
            if line is None:
                result.unchanged += 1
            else:
                yield line


def _read(item: Item, author: str | None, source: str | None) -> Line | None:
    """None for a line that was exported and left as it was."""
    if isinstance(item.value, Unreadable):
        raise item.value
    if not isinstance(item.value, dict):
        raise Unreadable("is no object")
    fields: Mapping[str, Any] = item.value
    identity, conversation, position = fields.get("id"), fields.get("conversation"), fields.get("position")
    if not isinstance(identity, str) and not (isinstance(conversation, str) and isinstance(position, int)):
        raise Unreadable("names no exchange: it needs `id`, or `conversation` and `position`")
    if fields.get("message") is None:
        raise Unreadable("has no `message`, which is the answer as it should have been")
    message = written_answer(fields["message"])
    author = _text(fields, "author") or author
    if message == fields.get("answer") and author is None:
        return None
    by_id = isinstance(identity, str)
    return Line(
        place=item.place,
        id=identity if by_id else None,
        conversation=None if by_id else conversation,
        position=None if by_id else position,
        message=json_text.encode(message).decode(),
        author=author,
        source=_text(fields, "source") or source,
    )


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"has {name} = {value!r}, which is no text")
    return value or None


def _take(folder: Path, lines: Sequence[Line], result: Imported) -> None:
    if not lines:
        return
    known, labelled = ask(folder, lambda store: (_known(store, lines), _labelled(store)))
    now_us = time.time_ns() // 1000
    last: dict[str, Line] = {}
    for line, identity in zip(lines, known, strict=True):
        if identity is None:
            result.miss(f"{line.place}: there is no exchange {line.name}")
        else:
            last[identity] = line
    labels: list[Label] = []
    for number, (identity, line) in enumerate(last.items()):
        if labelled.get(identity) == (line.message, line.author, line.source):
            result.already_there += 1
        else:
            told = {"message": line.message, "author": line.author, "source": line.source}
            labels.append(Label(exchange_id=identity, time_us=now_us + number, **told))  # type: ignore[arg-type]
    if labels:
        append(folder, "labels", table_of("labels", labels))
        result.labels += len(labels)


def _known(store: duckdb.DuckDBPyConnection, lines: Iterable[Line]) -> list[str | None]:
    """Of each line the id of its exchange, None where there is none."""
    rows = [(number, line.id, line.conversation, line.position) for number, line in enumerate(lines)]
    names = ("number", "id", "conversation", "position")
    kinds = (pa.int64(), pa.string(), pa.string(), pa.int64())
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
    store.register("named", pa.Table.from_arrays(columns, names=list(names)))
    by_id = "select number, id from named semi join exchanges using (id)"
    by_place = """
        select number, arg_max(exchanges.id, (time, exchanges.id)) from named
        join exchanges on exchanges.conversation = named.conversation
         and json_array_length(try_cast(request as json), '$.messages') = position
        where named.id is null group by number"""
    found = dict(store.execute(by_id).fetchall())
    if any(identity is None for _, identity, _, _ in rows):
        found |= dict(store.execute(by_place).fetchall())
    return [found.get(number) for number, *_ in rows]


def _labelled(store: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str | None, str | None]]:
    """Newest label by exchange, of those that are named."""
    query = f"select exchange_id, message, author, source from {NEWEST}"
    return {
        identity: (message, author, source) for identity, message, author, source in store.execute(query).fetchall()
    }
