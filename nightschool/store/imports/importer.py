"""Import: files of foreign exchanges -> rows of the store; what is there already is skipped.

    items -> candidates -> records -> those that are not there yet -> publish, batch by batch

A file may be imported any number of times, and may have grown since. Items that cannot be read are named, the rest is
imported.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from nightschool.errors import ImportFileError, StoreBusy
from nightschool.record import Feedback, Price, Record
from nightschool.store.compact import compact_once
from nightschool.store.imports.candidate import Candidate, key_of, record_of
from nightschool.store.imports.item import Unreadable, read_items
from nightschool.store.imports.kinds import Kinds
from nightschool.store.imports.redacted import redacted_candidate, redacted_record
from nightschool.store.lock import is_locked, lock_at_once
from nightschool.store.manifest import prepare_folder, publish
from nightschool.store.query import ask
from nightschool.store.sealer import Sealer
from nightschool.wire.redact import NO_RULES, Redactor

BATCH_ROWS = 20_000
BATCH_BYTES = 32 << 20
NAMED_FAULTS = 20

_TAIL = 14
"""Where an id's random part begins; before it stands the time."""


@dataclass
class Imported:
    """What came of an import."""

    exchanges: int = 0
    feedback: int = 0
    already_there: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    """How many items of which kind."""
    conversations: set[str | None] = field(default_factory=set)
    oldest_us: int | None = None
    bad_items: int = 0
    faults: list[str] = field(default_factory=list)
    """What was wrong with the first of them."""

    def refuse(self, fault: str) -> None:
        self.bad_items += 1
        if len(self.faults) < NAMED_FAULTS:
            self.faults.append(fault)

    def count(self, record: Record) -> None:
        self.exchanges += 1
        self.conversations.add(record.conversation)
        self.oldest_us = min(self.oldest_us or record.time_us, record.time_us)


def import_files(
    folder: Path,
    paths: Iterable[Path],
    *,
    prices: Mapping[str, Price],
    workload: str | None = None,
    redactor: Redactor = NO_RULES,
    progress: Callable[[Path, int], object] = lambda _path, _bytes: None,
) -> Imported:
    """Import the files, one after the other; ``progress`` hears how many bytes of which file have been read.

    ``workload`` names the exchanges that a file gives no name; what ``redactor`` finds reaches no disk.

    Raises ImportFileError for a file that holds nothing that can be read; those before it are imported then.
    """
    prepare_folder(folder)
    with lock_at_once(folder / "import.lock") as held:
        if not held:
            raise StoreBusy(f"another import into {folder} is running", remedy="wait until it has ended")
        importer = _Importer(folder, prices, workload, redactor)
        for path in paths:
            importer.read(path, progress)
        importer.finish()
        if not is_locked(folder / "recorder.lock"):  # else it does this in its own time
            given_up: set[tuple[str, ...]] = set()
            while compact_once(folder, given_up=given_up):
                pass
    return importer.result


class _Importer:
    def __init__(self, folder: Path, prices: Mapping[str, Price], workload: str | None, redactor: Redactor) -> None:
        self.result = Imported()
        self._folder = folder
        self._prices = prices
        self._workload = workload
        self._redactor = redactor
        self._kinds = Kinds()
        self._occurrences: Counter[bytes] = Counter()
        self._now_us = time.time_ns() // 1000
        self._batch: dict[str, tuple[Record, float | None]] = {}
        self._batch_bytes = 0
        self._exported: set[str] = set()

    def read(self, path: Path, progress: Callable[[Path, int], object]) -> None:
        """Import one file."""
        readable, bad_before = 0, self.result.bad_items
        self._occurrences.clear()
        for item in read_items(path):
            try:
                kind, found = self._kinds.read(item)
            except Unreadable as fault:
                self.result.refuse(f"{path.name}: {item.place} {fault}")
            else:
                readable += 1
                self.result.kinds[kind] += 1
                for exchange in found:
                    self._take(exchange)
            progress(path, item.end)
        if not readable:
            why = self.result.faults[-1] if self.result.bad_items > bad_before else "it is empty"
            raise ImportFileError(
                f"{path} holds nothing that can be imported: {why}",
                remedy="`nightschool logs import --help` says what can be read",
            )

    def finish(self) -> None:
        """Publish the rest."""
        self._publish()
        if lonely := self._kinds.batches.unjoined():
            self.result.faults.append(lonely)

    def _take(self, exchange: Candidate | Record) -> None:
        record = self._exported_record(exchange) if isinstance(exchange, Record) else self._record(exchange)
        tail = record.id[_TAIL:]
        if isinstance(exchange, Record):
            if tail in self._exported:
                self.result.already_there += 1
                return
            self._exported.add(tail)
        score = exchange.score if isinstance(exchange, Candidate) else None
        self._batch[tail] = (record, score)
        self._batch_bytes += len(record.request or "") + len(record.response or "")
        if len(self._batch) >= BATCH_ROWS or self._batch_bytes >= BATCH_BYTES:
            self._publish()

    def _exported_record(self, record: Record) -> Record:
        return redacted_record(record, self._redactor) if self._redactor else record

    def _record(self, candidate: Candidate) -> Record:
        """Where no time is told it is now, each exchange a microsecond after the one before.

        Its id is that of what the file says, redacted or not, so that other rules do not make it another exchange.
        """
        self._now_us += 1
        time_us = candidate.time_us or self._now_us
        content = key_of(candidate, 0)
        self._occurrences[content] += 1
        key = key_of(candidate, self._occurrences[content])
        if self._redactor:
            candidate = redacted_candidate(candidate, self._redactor)
        record = record_of(candidate, time_us=time_us, key=key, prices=self._prices)
        return msgspec.structs.replace(record, workload=record.workload or self._workload)

    def _publish(self) -> None:
        known = self._known(list(self._batch))
        with Sealer(self._folder, split="day") as sealer:
            for tail, (record, score) in self._batch.items():
                if tail in known:
                    self.result.already_there += 1
                    continue
                self.result.count(record)
                sealer.add(record)
                if score is not None:
                    self.result.feedback += 1
                    sealer.add(Feedback(exchange_id=record.id, time_us=record.time_us, score=score))
            sealer.seal()
            publish(self._folder, sealer.added_to)
        self._batch, self._batch_bytes = {}, 0

    def _known(self, tails: Sequence[str]) -> set[str]:
        """Of the store as it is now: what was there when the import began may have been merged and swept since."""
        stored = f"select substr(id, {_TAIL + 1}) as tail from exchanges"

        def question(store: duckdb.DuckDBPyConnection) -> set[str]:
            store.register("candidates", pa.table({"tail": pa.array(tails, pa.string())}))
            known = store.execute(f"select tail from candidates semi join ({stored}) using (tail)")
            return {tail for (tail,) in known.fetchall()}

        return ask(self._folder, question)
