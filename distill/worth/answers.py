"""The newest answers of a workload: of what kind they are, and whether the teacher says the same twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import blake2b

import duckdb
import msgspec

from distill.workloads.answers import Answer, Kind, kind_of, labels, read_answer
from nightschool.wire import json_text

MOST_READ = 20_000
SHOWN_LABELS = 10
_CHUNK = 1_000
_ASKED = ("messages", "input", "instructions", "prompt", "tools", "functions", "response_format", "text")


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the newest usable answers."""

    read: int
    kind: Kind
    distinct: int
    """Answers that differ."""
    refusals: int
    labels: dict[str, int] | None
    """The most frequent of a closed set, with their counts; null where there is no such set."""
    label_count: int | None
    repeated_inputs: int
    """Inputs that were asked more than once."""
    pairs: int
    """Pairs of answers to one input."""
    agreement: float | None
    """Share of the pairs that are equal; null where no input was repeated."""


def read_answers(store: duckdb.DuckDBPyConnection) -> Answers:
    """Of the exchanges that were chosen and are usable."""
    found = store.execute(
        f"""with newest as (select id from chosen where unusable is null order by id desc limit {MOST_READ})
        select request, response from exchanges join newest using (id)"""
    )
    return _looked_at(_pairs(found))


def _pairs(found: duckdb.DuckDBPyConnection) -> Iterable[tuple[bytes, Answer]]:
    while chunk := found.fetchmany(_CHUNK):
        for request, response in chunk:
            answer = read_answer(response)
            if answer is not None:
                yield input_key(request), answer


def _looked_at(pairs: Iterable[tuple[bytes, Answer]]) -> Answers:
    answers: list[Answer] = []
    by_input: dict[bytes, Counter[str]] = defaultdict(Counter)
    for key, answer in pairs:
        answers.append(answer)
        by_input[key][answer.canonical] += 1
    said = [answer for answer in answers if answer.text]
    kind = kind_of(answers)
    closed = labels(said) if kind == "label" else None
    repeated = [counts for counts in by_input.values() if counts.total() > 1]
    every = sum(counts.total() * (counts.total() - 1) for counts in repeated) // 2
    equal = sum(count * (count - 1) for counts in repeated for count in counts.values()) // 2
    return Answers(
        read=len(answers),
        kind=kind,
        distinct=len({answer for counts in by_input.values() for answer in counts}),
        refusals=sum(answer.refusal for answer in answers),
        labels=dict(closed.most_common(SHOWN_LABELS)) if closed else None,
        label_count=len(closed) if closed else None,
        repeated_inputs=len(repeated),
        pairs=every,
        agreement=equal / every if every else None,
    )


def input_key(request: str | None) -> bytes:
    """Equal for requests that ask the same, whatever their sampling parameters."""
    try:
        body = json_text.decode((request or "").encode("utf-8", "replace"))
    except ValueError:
        body = None
    asked = [body.get(name) for name in _ASKED] if isinstance(body, dict) else request
    return blake2b(json_text.canonical(asked), digest_size=12).digest()
