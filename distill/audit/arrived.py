"""What teachers say: on the disk as it comes, into the store in one piece.

    answer -> data/audits/<workload>/arrived.jsonl -> exchanges

An answer that was paid for is not asked for again, whenever the pass is killed; and the store gets one segment a pass,
not one an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from distill.audit.sample import recorded
from distill.journal import Journal, decoded
from nightschool.record import Record
from nightschool.store.manifest import publish
from nightschool.store.sealer import Sealer


class Arrived:
    """Of one workload. Use it as a context, under the lock of its audit; what a killed pass has left is filed first."""

    def __init__(self, data: Path, folder: Path) -> None:
        self._data = data
        self._journal = Journal(folder / "arrived.jsonl")

    def __enter__(self) -> Self:
        self.file()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, traceback)

    def keep(self, record: Record) -> None:
        self._journal.append(msgspec.json.encode(record))

    def file(self) -> None:
        """Put all into the store, but for what is there already: killed after that, a pass has left it here."""
        records = decoded((line for _, line in self._journal.lines()), Record)
        if not records:
            return
        known = recorded(self._data, [each.id for each in records], min(each.time_us for each in records))
        _add(self._data, [each for each in records if each.id not in known])
        self._journal.clear()


def _add(data: Path, records: Iterable[Record]) -> None:
    with Sealer(data) as sealer:
        for record in records:
            sealer.add(record)
        sealer.seal()
        publish(data, sealer.added_to)
