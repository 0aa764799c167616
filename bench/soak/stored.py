"""What the store holds after the soak, beside what clients were told: nothing missing, nothing twice, nothing mixed
up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import nightschool
from bench.soak.question import TEACHER, mark_in, origin_of, question_in
from bench.soak.told import Outage, Told

_BATCH = 1000
_SQL = (
    "select id, status, complete, target, adapter, request[:2000], "
    "regexp_extract(coalesce(response, ''), '<[a-z0-9-]+:[0-9a-f]{20}>') from exchanges"
)


class Stored(NamedTuple):
    """A record, as far as it is compared."""

    status: int | None
    complete: bool
    target: str
    adapter: str | None
    request: str
    mark: str | None


class Held(NamedTuple):
    """The store."""

    records: dict[str, Stored]
    twice: list[str]
    """Ids that more than one record has."""
    feedback: Counter[str]
    """How often an exchange has got any."""


def held_in(data: Path) -> Held:
    """Everything."""
    records: dict[str, Stored] = {}
    twice: list[str] = []
    with closing(nightschool.open_store(data)) as store:
        cursor = store.execute(_SQL)
        while rows := cursor.fetchmany(_BATCH):
            for identity, status, complete, target, adapter, request, mark in rows:
                if identity in records:
                    twice.append(identity)
                records[identity] = Stored(status, complete, target, adapter, request or "", mark_in(mark))
        feedback = Counter(row[0] for row in store.execute("select exchange_id from feedback").fetchall())
    return Held(records, twice, feedback)


def missing(held: Held, told: Iterable[Told], outages: Sequence[Outage]) -> list[str]:
    """Ids that clients were told and no record has; of answers that were not whole, unless their worker was killed."""
    dead = [outage for outage in outages if outage.of == "worker"]
    promised = [
        each for each in told if each.id and (each.acknowledged or not any(outage.excuses(each) for outage in dead))
    ]
    return [f"{each.id} {each.kind} {each.end}" for each in promised if each.id not in held.records]


def different(held: Held, told: Iterable[Told]) -> list[str]:
    """Records that say something else than the client was told."""
    found = []
    for each in told:
        record = held.records.get(each.id or "")
        if record is not None and (fault := _difference(record, each)):
            found.append(f"{each.id} {each.kind}: {fault}")
    return found


def _difference(record: Stored, told: Told) -> str:
    if question_in(record.request) != told.question:
        return f"it holds the question {record.request[:200]!r} instead of {told.question.text!r}"
    if told.end != "whole":
        return ""
    if record.status != told.status:
        return f"status {record.status} instead of {told.status}"
    if told.mark != record.mark:
        return f"it holds the answer {record.mark} instead of {told.mark}"
    if told.status == 200 and not record.complete:
        return "the answer was whole, and the record says that it was cut"
    if told.status == 200 and record.target != told.target:
        return f"{record.target} instead of {told.target}"
    origin = TEACHER if record.target != "student" else record.adapter
    if told.mark is not None and origin_of(told.mark) != origin:
        return f"it names {origin}, and {origin_of(told.mark)} has answered"
    return ""
