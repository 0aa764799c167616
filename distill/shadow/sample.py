"""New exchanges of the teacher -> cases for a student that answers in the shadow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from distill.dataset.identity import keys_of
from distill.dataset.learned import learned_inputs
from distill.draw import drawn
from distill.evaluate.cases import Case
from distill.labels.answer import logged_answer
from distill.score.message import says_nothing
from distill.score.scorer import Question
from nightschool.store.query import ask
from nightschool.store.reader import Window
from nightschool.wire import json_text

_ANSWERED = (
    "workload = ? and target = 'teacher' and reason <> 'audit' and status = 200 and complete and error_type is null "
    "and endpoint = '/chat/completions' and request is not null and response is not null "
    "and time > make_timestamptz(?) and list_contains(?, fingerprint)"
)


class Wish(NamedTuple):
    """Which of them."""

    workload: str
    since_us: int
    """After the last exchange of the dataset: none of them can have been learned."""
    prompts: Sequence[str]
    """Fingerprints of those that the student was tested on: it is to answer no others."""
    known: Collection[str]
    dataset: Path
    """Folder of the one it has learned. A question answered there in training or validation proves nothing again."""
    share: float
    """Per cent."""
    most: int


def cases(data: Path, wish: Wish) -> list[Case]:
    """The oldest first."""
    return ask(data, lambda store: _cases(store, wish), Window(since_us=wish.since_us))


def _cases(store: duckdb.DuckDBPyConnection, wish: Wish) -> list[Case]:
    """What is of no use is passed over, and stands in nobody's way."""
    rows = store.cursor().execute(
        f"select id from exchanges where {_ANSWERED} order by time, id", [wish.workload, wish.since_us, [*wish.prompts]]
    )
    ids = drawn(rows, "shadow", wish.share, known=wish.known)
    found: list[Case] = []
    learned: frozenset[int] | None = None
    while len(found) < wish.most and (some := list(islice(ids, wish.most))):
        learned = learned_inputs(wish.dataset) if learned is None else learned
        read = [case for row in _read(store, some) if (case := _case(*row)) is not None]
        found += [case for case in read if keys_of(case.question.messages, None).input not in learned]
    return found[: wish.most]


def _read(store: duckdb.DuckDBPyConnection, chosen: list[str]) -> list[tuple[str, str | None, str, str]]:
    places = ", ".join("?" * len(chosen))
    return store.execute(
        f"select id, conversation, request, response from exchanges where id in ({places}) order by time, id", chosen
    ).fetchall()


def _case(identity: str, conversation: str | None, request: str, response: str) -> Case | None:
    """None for what a dataset would not have taken either."""
    try:
        body: Any = json_text.decode(request.encode())
        finish_reason = json_text.decode(response.encode())["choices"][0].get("finish_reason")
        messages, tools, form = body["messages"], body.get("tools") or [], body.get("response_format")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    teacher = logged_answer(response)
    if finish_reason not in ("stop", "tool_calls") or teacher is None or says_nothing(teacher):
        return None
    return Case(
        example=identity,
        group=f"shadow {conversation or identity}",
        question=Question(messages, tools, form),
        tool_choice=body.get("tool_choice"),
        reference=teacher,
        labelled=False,
        teacher=teacher,
        newest=True,
        novelty=None,
    )
