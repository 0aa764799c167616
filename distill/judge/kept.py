"""Verdicts that are known: what was asked once is not asked again.

    reply -> journal (at once) -> table ``verdicts`` (when a run ends, or the next one begins)

So a run that is killed has lost nothing, and the store does not get a file for every single verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import msgspec

from distill.journal import Journal
from distill.judge.verdict import Better, Read
from nightschool.record import Verdict
from nightschool.store.append import append
from nightschool.store.manifest import prepare_folder
from nightschool.store.query import ask
from nightschool.store.schema import table_of

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Verdict).decode
_BETTER: dict[str | None, Better] = {"first": "first", "second": "second", "tie": "tie"}


class KeptVerdicts:
    """The verdicts of one judge about one workload."""

    def __init__(self, journal: Journal, known: dict[str, Read | None]) -> None:
        self._journal = journal
        self._known = known

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Read | None:
        """None for a reply that could not be read."""
        return self._known[key]

    def keep(self, verdict: Verdict) -> None:
        """On the disk when this returns, as far as the death of this process goes."""
        self._journal.append(_encode(verdict))
        self._known[verdict.key] = _read(verdict.better, verdict.reason)


@contextmanager
def kept_verdicts(folder: Path, journal: Path, *, workload: str, model: str) -> Iterator[KeptVerdicts]:
    """The known verdicts of ``model``; new ones are in the store when the block ends, however it ends.

    Nobody else may use the same journal meanwhile.
    """
    prepare_folder(folder)
    with Journal(journal) as file:
        _file_away(folder, file)
        try:
            yield KeptVerdicts(file, _known(folder, workload, model))
        finally:
            _file_away(folder, file)


def _file_away(folder: Path, journal: Journal) -> None:
    """Move the journal's lines into the table. Killed in the middle, it is done again, and adds nothing twice."""
    verdicts = {verdict.key: verdict for _, line in journal.lines() if (verdict := _decode(line))}
    if verdicts:
        there = ask(folder, lambda store: _keys(store, list(verdicts)))
        new = [verdict for key, verdict in verdicts.items() if key not in there]
        if new:
            append(folder, "verdicts", table_of("verdicts", new))
    journal.clear()


def _keys(store: duckdb.DuckDBPyConnection, keys: list[str]) -> set[str]:
    query = "select distinct key from verdicts where list_contains(?, key)"
    return {key for (key,) in store.execute(query, [keys]).fetchall()}


def _known(folder: Path, workload: str, model: str) -> dict[str, Read | None]:
    query = "select key, better, reason from verdicts where model = ? and workload = ? order by time"
    rows = ask(folder, lambda store: store.execute(query, [model, workload]).fetchall())
    return {key: _read(better, reason) for key, better, reason in rows}


def _read(better: str | None, reason: str | None) -> Read | None:
    known = _BETTER.get(better)
    return None if known is None else Read(known, reason or "")
