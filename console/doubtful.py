"""What a person should look at: answers that scored badly, that teachers disagree with, that users disliked.

Labels take doubt away: what has one is not in the queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from console.asking import Asking
from console.damage import DAMAGE
from distill.audit.audited import audited_of, file_of
from distill.evaluate.result import ROWS, evaluations_of, newest_manifest

MOST = 200
"""Of one kind and workload, the worst."""
_FEEDBACK = """
    select exchange_id, exchanges.workload, arg_max(score, feedback.time), arg_max(comment, feedback.time)
    from feedback join exchanges on exchanges.id = feedback.exchange_id
    where exchanges.workload is not null and score is not null group by all"""


class Doubt(NamedTuple):
    """An exchange that may be wrong."""

    exchange: str
    workload: str
    goodness: float
    """From 0 to 1; the queue begins with the worst."""
    reasons: tuple[str, ...]


def doubtful(asking: Asking, workloads: Sequence[str]) -> list[Doubt]:
    """Of these workloads, the worst first; an exchange comes once, with all that speaks against it."""
    key = "doubtful", tuple(workloads), tuple(_evaluation(asking.data, name) for name in workloads)
    return asking.remembered(key, lambda: _doubtful(asking, workloads))


def _doubtful(asking: Asking, workloads: Sequence[str]) -> list[Doubt]:
    found = [doubt for name in workloads for doubt in (*_scored(asking.data, name), *_audited(asking.data, name))]
    found += [doubt for doubt in _disliked(asking) if doubt.workload in workloads]
    unlabelled = asking.ask(lambda store: _unlabelled(store, found))
    merged: dict[str, Doubt] = {}
    for doubt in sorted((each for each in found if each.exchange in unlabelled), key=lambda each: each.goodness):
        known = merged.get(doubt.exchange)
        merged[doubt.exchange] = doubt if known is None else known._replace(reasons=known.reasons + doubt.reasons)
    return sorted(merged.values(), key=lambda each: (each.goodness, -len(each.reasons), each.exchange))


def _evaluation(data: Path, workload: str) -> str | None:
    manifest = newest_manifest(data, workload)
    return None if manifest is None else manifest.id


def _scored(data: Path, workload: str) -> Iterator[Doubt]:
    """Where the student of the newest evaluation did worst; there its teacher may be wrong as well."""
    manifest = newest_manifest(data, workload)
    if manifest is None:
        return
    try:
        table = pq.read_table(
            evaluations_of(data, workload) / manifest.id / ROWS,
            columns=["example", "score", "truth"],
            filters=(pc.field("system") == "student") & (pc.field("score") < 1) & (pc.field("truth") != "label"),
        )
    except DAMAGE:  # the folder has just gone, or is damaged: its own page tells
        return
    for row in table.sort_by("score").slice(0, MOST).to_pylist():
        told = f"a student scored {row['score']:.2f} on it, against the {row['truth']}"
        yield Doubt(row["example"], workload, row["score"], (told,))


def _audited(data: Path, workload: str) -> Iterator[Doubt]:
    """Where a student that answered a client and its teacher disagree."""
    files = sorted(file_of(data, workload, "any").parent.glob("*.jsonl"))
    compared = [(each, path.stem) for path in files for each in audited_of(data, workload, path.stem)]
    doubts = [
        Doubt(each.exchange, workload, each.agreement, (f"{adapter} and its teacher agree by {each.agreement:.2f}",))
        for each, adapter in compared
        if each.agreement is not None and each.agreement < 1
    ]
    yield from sorted(doubts, key=lambda doubt: doubt.goodness)[:MOST]


def _disliked(asking: Asking) -> list[Doubt]:
    """The worse half of each workload's own scale; where all scores are equal, those that are not above zero."""
    rows = asking.ask(lambda store: store.execute(_FEEDBACK).fetchall())
    scales: dict[str, list[float]] = {}
    for _, workload, score, _ in rows:
        scales.setdefault(workload, []).append(score)
    found = []
    for exchange, workload, score, comment in rows:
        low, high = min(scales[workload]), max(scales[workload])
        goodness = (score - low) / (high - low) if high > low else float(score > 0)
        if goodness < 0.5:
            said = f"a user gave {score:g}" + (f": {comment}" if comment else "")
            found.append(Doubt(exchange, workload, goodness, (said,)))
    return sorted(found, key=lambda doubt: doubt.goodness)[:MOST]


def _unlabelled(store: duckdb.DuckDBPyConnection, doubts: Iterable[Doubt]) -> set[Any]:
    """Those that are chats, still there, and without a label."""
    names = pa.table({"id": pa.array(sorted({doubt.exchange for doubt in doubts}), pa.string())})
    store.register("doubted", names)
    query = """
        select id from exchanges semi join doubted using (id) where endpoint = '/chat/completions'
        and request is not null and id not in (select exchange_id from labels)"""
    return {identity for (identity,) in store.execute(query).fetchall()}
