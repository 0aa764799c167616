"""Questions of the pages to the store: one at a time, on one thread, with little memory, no more often than needed.

A page may be open in ten tabs, each looking again every few seconds; the store may hold a hundred million exchanges.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import duckdb

from nightschool.store.log import list_logs
from nightschool.store.manifest import read_manifest
from nightschool.store.query import ask
from nightschool.store.reader import EVERYTHING, StoreWarning, Window

Answer = TypeVar("Answer")

_SETTINGS = ("set threads = 1", "set memory_limit = '160MB'", "set preserve_insertion_order = false")
BODIES_AT_ONCE = 10
"""So many requests with an image each fit into this memory; where they are larger, fewer are read together."""
_REST = 20
"""An answer that took a second is given again for twenty: the console keeps a core busy for a twentieth at most."""
_LEAST_REST_S = 1.0
_LONGEST_REST_S = 60.0
_MOST_KEPT = 200


class _Kept(NamedTuple):
    answer: Any
    version: Hashable
    until: float
    """Monotonic time up to which it is good enough, whatever has been recorded since."""


class Asking:
    """Of one data folder; to be used from several threads."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._turn = threading.Lock()
        self._kept: dict[Hashable, _Kept] = {}

    def ask(self, question: Callable[[duckdb.DuckDBPyConnection], Answer], window: Window = EVERYTHING) -> Answer:
        """The answer from the store as it is now. Waits for its turn; raises StoreError."""

        def modestly(store: duckdb.DuckDBPyConnection) -> Answer:
            for setting in _SETTINGS:
                store.execute(setting)
            return question(store)

        with self._turn, warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)  # the overview tells what is damaged
            return ask(self.data, modestly, window)

    def remembered(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """What ``make`` answers, made anew when the store has changed and the last answer has rested long enough.

        ``key`` names the question with all that it depends on; ``make`` may ask the store.
        """
        version, now = self._version(), time.monotonic()
        known = self._kept.get(key)
        if known is not None and (known.version == version or now < known.until):
            return cast(Answer, known.answer)
        answer = make()
        ended = time.monotonic()
        rest_s = min(max(_REST * (ended - now), _LEAST_REST_S), _LONGEST_REST_S)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[key] = _Kept(answer, version, ended + rest_s)
        return answer

    def forget(self) -> None:
        """What was changed here is seen at once."""
        self._kept.clear()

    def _version(self) -> Hashable:
        """Changes whenever something was recorded, sealed, merged or erased."""
        logs = []
        for path in list_logs(self.data):
            try:
                logs.append((path.name, path.stat().st_size))
            except FileNotFoundError:
                continue
        return read_manifest(self.data).generation, tuple(logs)
