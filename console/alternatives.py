"""What others answered to the same question: something to begin a label with."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from console.damage import DAMAGE
from console.desk import Desk
from console.readable import Shown, answered, message_in
from distill.audit.audited import audited_of, file_of
from distill.evaluate.result import ROWS, evaluations_of, newest_manifest
from distill.labels.answer import logged_answer
from nightschool.errors import StoreError
from nightschool.store.listing import Row, one


class Alternative(NamedTuple):
    """An answer of somebody."""

    key: str
    """For links."""
    who: str
    message: dict[str, Any]
    turns: list[Shown]


def alternatives(desk: Desk, row: Row) -> list[Alternative]:
    """What was logged first, then the teacher's answer of an audit, then the systems of the newest evaluation."""
    found = []
    if (logged := logged_answer(row["response"])) is not None:
        found.append(_of("logged", f"logged, by {row['adapter'] or row['target']}", logged))
    if row["workload"]:
        found += [*_audits(desk, row), *_evaluated(desk, row)]
    return found


def _audits(desk: Desk, row: Row) -> list[Alternative]:
    if row["adapter"] is None or not file_of(desk.data, row["workload"], row["adapter"]).exists():
        return []
    compared = audited_of(desk.data, row["workload"], row["adapter"])
    teachers = [each.teacher for each in compared if each.exchange == row["id"] and each.teacher]
    found = []
    for identity in teachers:
        try:
            message = logged_answer(one(desk.data, identity)["response"])
        except StoreError:  # it was erased, or is not sealed yet
            continue
        if message is not None:
            found.append(_of("teacher", "the teacher, asked by the audit", message))
    return found


def _evaluated(desk: Desk, row: Row) -> list[Alternative]:
    manifest = newest_manifest(desk.data, row["workload"])
    if manifest is None:
        return []
    try:
        table = pq.read_table(
            evaluations_of(desk.data, row["workload"]) / manifest.id / ROWS,
            columns=["system", "answer", "score"],
            filters=(pc.field("example") == row["id"]) & (pc.field("system") != "teacher"),
        )
    except DAMAGE:  # the folder has just gone, or is damaged: its own page tells
        return []
    found = []
    for each in table.to_pylist():
        message = message_in(each["answer"])
        if message is not None:
            score = "" if each["score"] is None else f", scored {each['score']:.2f}"
            found.append(_of(each["system"], f"{each['system'].replace('_', ' ')} in the evaluation{score}", message))
    return found


def _of(key: str, who: str, message: dict[str, Any]) -> Alternative:
    return Alternative(key, who, message, answered(message))
