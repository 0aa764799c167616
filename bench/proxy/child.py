"""A process that the bench starts, pins to cores, and ends by its own id, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.proxy import process
from bench.proxy.failure import BenchFailure


@contextmanager
def affinity(cores: set[int]) -> Iterator[None]:
    """What is started inside runs on ``cores``: a child inherits them, with all threads it will ever have."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """A running command whose output goes to ``log``; a context manager that ends it and its descendants."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cores: set[int],
        log: Path,
        env: Mapping[str, str] | None = None,
        pipes: bool = False,
        cwd: Path | None = None,
    ) -> None:
        self.log = log
        self._output = log.open("wb")
        with affinity(cores):
            # A session of its own: Ctrl-C reaches the bench alone, which then ends everything in order.
            self.popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else self._output,
                stderr=self._output,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
            )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        return self.popen.pid

    def descendants(self) -> list[int]:
        """Processes that it started and that still run."""
        return process.descendants(self.pid)

    def check(self) -> None:
        """Fail with the end of the log when the process is gone."""
        if self.popen.poll() is not None:
            raise BenchFailure(f"{self.log.stem} ended with code {self.popen.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def wait_for(self, pattern: str, *, within_s: float) -> re.Match[str]:
        """The first match in the log, waiting for it."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            self.check()
            if found := re.search(pattern, self.log.read_text(errors="replace")):
                return found
            time.sleep(0.05)
        raise BenchFailure(f"{self.log.stem} did not print {pattern!r} within {within_s:.0f} s:\n{self.tail()}")

    def kill(self) -> None:
        """SIGKILL for it and for all it has started, without a warning: what a machine that dies would do."""
        left = self.descendants()
        self.popen.kill()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.popen.wait()

    def end(self, *, within_s: float = 15) -> None:
        """SIGTERM, then SIGKILL for it and for what it left behind."""
        left = {pid: process.begun(pid) for pid in self.descendants()}
        self.popen.terminate()
        try:
            self.popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pid, begun in left.items():
            if process.begun(pid) == begun is not None:  # still the process it was
                os.kill(pid, signal.SIGKILL)
        for pipe in (self.popen.stdin, self.popen.stdout, self._output):
            if pipe is not None:
                pipe.close()
