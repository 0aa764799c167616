"""Exchanges of earlier hours that come into the store beside the traffic, in small segments that are then merged."""

from __future__ import annotations

import time
from pathlib import Path

from bench.synthetic import HOUR_US, PRICES, Traffic
from nightschool.record import Record
from nightschool.store import wal
from nightschool.store.compact import compact_once
from nightschool.store.exchange import to_record
from nightschool.store.manifest import publish
from nightschool.store.sealer import Sealer

SEGMENTS, ROWS = 4, 50
_HOURS_AGO = 30


class Imports:
    """What was added so far."""

    def __init__(self, folder: Path) -> None:
        self.ids: list[str] = []
        self.merged = 0
        self._folder = folder
        self._traffic = Traffic(seed=5)
        self._hour_us = time.time_ns() // 1000 // HOUR_US * HOUR_US - _HOURS_AGO * HOUR_US

    def more(self) -> None:
        """Add segments to an hour that is long over, and do every merge that is due, beside the recorder's own."""
        with Sealer(self._folder) as sealer:
            for _ in range(SEGMENTS):
                for _ in range(ROWS):
                    record = self._record()
                    self.ids.append(record.id)
                    sealer.add(record)
                sealer.seal()
            publish(self._folder, sealer.added_to)
        while compact_once(self._folder):
            self.merged += 1

    def _record(self) -> Record:
        self._hour_us += 1
        (_, request, asked), (_, end, answered) = self._traffic.exchange(self._hour_us)
        assert isinstance(request, wal.Request)
        assert isinstance(end, wal.End)
        return to_record(request, asked, end, answered, PRICES, None)
