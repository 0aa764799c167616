"""A job: one `nightschool …` command that a person could type, as a child, its lines in our log."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from nightschool.child import Child

_PATIENCE_S = 20.0
_LINES_KEPT = 20

log = logging.getLogger("nightschool.scheduler")


class Job:
    """Run it in the thread that made it."""

    def __init__(self, name: str, command: Sequence[str | Path]) -> None:
        self.name = name
        self._child = Child(name, command, output=subprocess.PIPE)
        self._stop = threading.Event()
        self.last_lines: list[str] = []
        """What it said last: where it failed, why."""

    def run(self, *, quiet: bool = False) -> int:
        """Until it ends, or is told to stop; its exit code. ``quiet``: its lines are logged only if it fails."""
        self._child.start()
        for raw in self._child.lines or ():  # none where it was told to stop in this very moment
            line = raw.decode(errors="replace").rstrip()
            self.last_lines = [*self.last_lines[-_LINES_KEPT:], line]
            if not quiet:
                log.info("%s | %s", self.name, line)
        code = self._child.wait()
        if code and quiet and not self._stop.is_set():
            for line in self.last_lines:
                log.error("%s | %s", self.name, line)
        return code

    def stop(self) -> None:
        """From another thread; nothing where it has not begun yet."""
        self._stop.set()
        self._child.stop(_PATIENCE_S)
