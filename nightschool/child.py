"""A process that is to be running: started again when it dies, later each time it dies young.

It never outlives its parent, and what it has started goes with it: an engine that is left behind holds a GPU.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from nightschool.errors import NightschoolError

RESTART_AFTER_S = (0.1, 0.5, 2.0, 5.0)
_OLD_S = 60.0
"""One that lived so long was well: the next death counts as the first."""
_PR_SET_PDEATHSIG = 1

log = logging.getLogger("nightschool.child")


class Child:
    """``output``: where both of its streams go; None is where ours go."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        output: IO[bytes] | int | None = None,
    ) -> None:
        self.name = name
        self.died_with: int | None = None
        """Exit code of the one before, if it died."""
        self._command = [str(part) for part in command]
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._has_run = False
        self._deaths = 0
        self._started_at = 0.0
        self._restart_at = 0.0

    def is_like(self, other: Child) -> bool:
        """Whether both run the same thing in the same way."""
        ours = (self._command, self._env, self._cwd, self._output)
        return ours == (other._command, other._env, other._cwd, other._output)

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def lines(self) -> IO[bytes] | None:
        """What it prints, where ``output`` is a pipe."""
        return None if self._process is None else self._process.stdout

    def wait(self) -> int:
        """Until it has ended; its exit code, 0 where it was told to stop."""
        process = self._process
        return 0 if process is None else process.wait()

    @property
    def age_s(self) -> float:
        """Of the one that runs."""
        return time.monotonic() - self._started_at

    def start(self) -> None:
        """Raises OSError where the command cannot be run."""
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT if self._output == subprocess.PIPE else self._output,
            start_new_session=True,  # Ctrl-C is for the parent, which ends its children in order
            preexec_fn=end_with_parent if sys.platform == "linux" else None,
        )
        self._has_run = True
        self._started_at = time.monotonic()

    def exit_code(self) -> int | None:
        """Of one that has died; None while it runs."""
        return None if self._process is None else self._process.poll()

    def keep_alive(self) -> bool:
        """To be called often: notes that it has died, and starts it again when the wait is over; true if it did.

        Raises OSError where the command cannot be run the first time; later that may pass, and is tried again.
        """
        if self._process is not None:
            if self._process.poll() is None:
                return False
            self._mourn(self._process)
        if time.monotonic() < self._restart_at:
            return False
        try:
            self.start()
        except OSError as error:
            if not self._has_run:
                raise
            wait_s = self._back_off(self._deaths + 1)
            log.error("child_not_started name=%s cause=%r again_in_s=%.1f", self.name, str(error), wait_s)
            return False
        return True

    def stop(self, patience_s: float) -> None:
        """Ask it to end, wait, and kill what is left of it and of what it has started."""
        process, self._process = self._process, None
        self._deaths, self._restart_at, self.died_with = 0, 0.0, None
        if process is None:
            return
        end(process, patience_s)

    def _mourn(self, process: subprocess.Popen[bytes]) -> None:
        _kill_group(process)
        wait_s = self._back_off(1 if self.age_s > _OLD_S else self._deaths + 1)
        self._process, self.died_with = None, process.returncode
        log.error("child_died name=%s code=%s restart_in_s=%.1f", self.name, process.returncode, wait_s)

    def _back_off(self, deaths: int) -> float:
        """So many in a row: how long it is let alone, in seconds from now."""
        self._deaths = deaths
        wait_s = RESTART_AFTER_S[min(deaths, len(RESTART_AFTER_S)) - 1]
        self._restart_at = time.monotonic() + wait_s
        return wait_s


def end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Ask it to end, wait, and kill what is left of its group, which it leads."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # the usual case: the group is empty
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_with_parent() -> None:
    """In the child, before exec: SIGTERM when the parent dies, even by SIGKILL."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class ChildFailed(NightschoolError):
    """A command that was run for its output ended badly; it has said why."""


def output_of(name: str, command: Sequence[str | Path]) -> bytes:
    """What a command prints, its messages going where ours go; it ends with us. Raises ChildFailed."""
    process = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode != 0:
        raise ChildFailed(f"{name} ended with status {process.returncode}", remedy="read its message above")
    return output
