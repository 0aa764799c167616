"""Any sequence of what can happen to a store leaves in it what should be there, once."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nightschool.store.absorb import absorb, clear_absorbed, finished_logs
from nightschool.store.compact import compact_once
from nightschool.store.erase import erase
from nightschool.store.imports.importer import import_files
from nightschool.store.manifest import prepare_folder
from nightschool.store.retention import drop_older
from nightschool.store.sweep import sweep
from tests.store.logs import HOUR_US, NOON_US, exchange, ids, open_log, request, rows, text_id, write_log

OFFSETS = st.lists(st.integers(0, 50), min_size=1, max_size=6)


class StoreHistory(RuleBasedStateMachine):
    """Beside the store, a dictionary says what should be in it: id -> time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.open_logs = ExitStack()
        self.numbers = itertools.count()
        self.expected: dict[str, int] = {}
        self.limit_us = 0
        prepare_folder(self.folder)

    def teardown(self) -> None:
        self.open_logs.close()
        shutil.rmtree(self.folder)

    def new_exchanges(self, offsets: list[int]) -> list[list[bytes]]:
        frames = []
        for offset in offsets:
            number, time_us = next(self.numbers), NOON_US + offset * HOUR_US
            self.expected[text_id(time_us, number)] = time_us
            frames.append(exchange(time_us, number))
        return frames

    @rule(offsets=OFFSETS)
    def a_worker_finishes_a_log(self, offsets: list[int]) -> None:
        write_log(self.folder, self.new_exchanges(offsets), f"finished-{next(self.numbers):04}")

    @rule(offsets=OFFSETS)
    def a_worker_writes_to_a_log(self, offsets: list[int]) -> None:
        under_way = request(NOON_US, next(self.numbers))
        name = f"open-{next(self.numbers):04}"
        self.open_logs.enter_context(open_log(self.folder, [under_way, *self.new_exchanges(offsets)], name))

    @rule()
    def the_recorder_absorbs(self) -> None:
        clear_absorbed(self.folder)
        absorb(self.folder, finished_logs(self.folder))

    @rule()
    def the_recorder_merges(self) -> None:
        compact_once(self.folder)

    @rule(grace_s=st.sampled_from([0.0, 600.0]))
    def the_recorder_sweeps(self, grace_s: float) -> None:
        sweep(self.folder, grace_s=grace_s)

    @rule(offset=st.integers(0, 10))
    def rows_grow_old(self, offset: int) -> None:
        """Rows that are still in a log stay for the next time, and some in a segment across the limit for a while."""
        limit_us = NOON_US + offset * HOUR_US
        sealed = set(self.sealed())
        drop_older(self.folder, limit_us)
        late = {identity for identity in self.sealed() if self.expected[identity] >= limit_us - 6 * HOUR_US}
        self.expected = {
            identity: time_us
            for identity, time_us in self.expected.items()
            if time_us >= limit_us or identity not in sealed or identity in late
        }

    @rule(offset=st.integers(0, 50))
    def somebody_erases(self, offset: int) -> None:
        time_us = NOON_US + offset * HOUR_US
        doomed = {identity for identity, at_us in self.expected.items() if at_us == time_us}
        remaining = erase(self.folder, doomed)
        self.expected = {
            identity: at_us
            for identity, at_us in self.expected.items()
            if identity not in doomed or identity in remaining
        }

    @rule(offsets=OFFSETS)
    def somebody_imports_a_file_twice(self, offsets: list[int]) -> None:
        before = len(self.expected)
        file = self.folder / "import.jsonl"
        calls = [
            {"request": {"prompt": str(next(self.numbers))}, "response": {}, "time": 1_773_144_000 + n} for n in offsets
        ]
        file.write_text("\n".join(map(json.dumps, calls)))
        assert import_files(self.folder, [file], prices={}).exchanges == len(offsets)
        assert import_files(self.folder, [file], prices={}).exchanges == 0
        stored = dict(rows(self.folder, "select id, epoch_us(time) from exchanges"))
        self.expected = stored | self.expected
        assert len(self.expected) == before + len(offsets)

    @precondition(lambda self: self.expected)
    @invariant()
    def everything_is_there_once(self) -> None:
        assert sorted(ids(self.folder)) == sorted(self.expected)

    def sealed(self) -> list[str]:
        logs = self.folder / "wal"
        hidden = logs.rename(self.folder / "hidden") if logs.exists() else None
        try:
            return ids(self.folder)
        finally:
            if hidden:
                hidden.rename(logs)


StoreHistory.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)
TestStoreHistory = StoreHistory.TestCase
