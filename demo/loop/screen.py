"""What the demo says: a title per stage, and a sign of life where something takes long."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

_EVERY_S = 15.0


def title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def say(line: str) -> None:
    print(f"  {line}", flush=True)


class Heartbeat:
    """Says every fifteen seconds what is waited for, in a thread of its own."""

    def __init__(self, for_what: str) -> None:
        self._for_what = for_what
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(_EVERY_S):
            print(f"  waiting {self._for_what}: {time.monotonic() - self._begin:.0f} s", file=sys.stderr, flush=True)
