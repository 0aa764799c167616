"""The recorder: turns finished logs into the Parquet tables, and keeps these in good order. One process per data
folder.

    python -m proxy.recorder DATA_FOLDER [--retention-days N] [--stop-fd N] [--once]

It ends on SIGTERM, or when the pipe at ``--stop-fd`` is closed, after a last pass over the finished logs. Killed at
any moment, it loses and doubles nothing (nightschool/store/absorb.py says why). A full disk costs nothing either: the
logs stay until there is room.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from nightschool.errors import NightschoolError
from nightschool.logs import configure_logging
from nightschool.stop import Stop
from nightschool.store.absorb import absorb, clear_absorbed, finished_logs
from nightschool.store.compact import compact_once
from nightschool.store.lock import lock_at_once
from nightschool.store.manifest import prepare_folder
from nightschool.store.retention import drop_older
from nightschool.store.sweep import sweep

POLL_S = 0.5
WAIT_S = 30.0
"""Small logs wait so long for others, so that idle traffic does not make a file every few seconds."""
WAIT_BYTES = 16 << 20
COMPACT_EVERY_S = 60.0
HOUSEKEEPING_EVERY_S = 600.0
RETRY_S = (1.0, 60.0)
"""After a failure of the disk: first wait, longest wait."""
SHOUT_EVERY_S = 60.0
NICE = 5
"""Forwarding goes before recording where both want the last core."""
LOCK = "recorder.lock"
BUSY = 75
"""Exit code when another recorder holds the folder (EX_TEMPFAIL)."""

log = logging.getLogger("nightschool.recorder")


class Every:
    """True once per period, the first time at once."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._next_at = 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + self._period_s
        return True


class Recorder:
    """The loop over one data folder, whose lock the caller holds."""

    def __init__(self, folder: Path, *, retention_days: int | None, stop: Stop) -> None:
        self._folder = folder
        self._lock = (folder / LOCK).stat()
        self._retention_days = retention_days
        self._stop = stop
        self._refused: set[Path] = set()
        """Logs that could not be read; tried again with the housekeeping."""
        self._given_up: set[tuple[str, ...]] = set()
        """Segments whose merge failed; tried again with the housekeeping, when there may be more memory."""
        self._compaction = Every(COMPACT_EVERY_S)
        self._housekeeping = Every(HOUSEKEEPING_EVERY_S)
        self._shout = Every(SHOUT_EVERY_S)
        self._retry_s = RETRY_S[0]

    def run(self) -> int:
        """Work until it is time to stop, then once more; returns the exit code."""
        wait_s = 0.0
        while not (stopping := self._stop.wait(wait_s)) and self._still_ours():
            wait_s = self._guarded(self._turn)
        if stopping and self._still_ours():
            self._guarded(self._last_pass)
            return 0
        log.error("recorder_lock_deleted; another recorder may hold the folder now, so this one ends")
        return 1

    def run_once(self) -> int:
        """Absorb what is finished; returns the exit code."""
        self._last_pass()
        return 0

    def _last_pass(self) -> None:
        """Everything that is finished, however little."""
        clear_absorbed(self._folder)
        self._absorb(finished_logs(self._folder))

    def _still_ours(self) -> bool:
        """Whether the lock that is held is the one that others would ask for: somebody may have deleted the folder."""
        try:
            return os.path.samestat((self._folder / LOCK).stat(), self._lock)
        except OSError:
            return False

    def _turn(self) -> None:
        if self._housekeeping():
            self._keep_house()
        self._absorb_due()
        if self._compaction():
            while not self._stop() and compact_once(self._folder, stop=self._stop, given_up=self._given_up):
                self._absorb_due()  # a merge takes seconds, and readers should not have much to parse meanwhile

    def _guarded(self, work: Callable[[], None]) -> float:
        """Do it; returns how long to wait then. What the disk refuses is tried again later, the logs stay meanwhile."""
        try:
            work()
        except (OSError, MemoryError, pa.ArrowException, NightschoolError) as error:
            if self._shout():
                log.error(
                    "recorder_blocked reason=%r; the logs stay, it is tried again", str(error) or "memory ran out"
                )
            wait_s, self._retry_s = self._retry_s, min(self._retry_s * 2, RETRY_S[1])
            return wait_s
        self._retry_s = RETRY_S[0]
        return POLL_S

    def _absorb_due(self) -> None:
        waiting = [path for path in finished_logs(self._folder) if path not in self._refused]
        if _is_due(waiting):
            self._absorb(waiting)

    def _absorb(self, logs: Sequence[Path]) -> None:
        started = time.perf_counter()
        result = absorb(self._folder, logs)
        for error in result.refused:
            log.error("log_not_absorbed reason=%r", str(error))
            self._refused.add(error.path)
        if logs:
            seconds = time.perf_counter() - started
            log.info("logs_absorbed logs=%d rows=%d seconds=%.2f", len(logs), result.rows, seconds)
        pa.default_memory_pool().release_unused()

    def _keep_house(self) -> None:
        self._refused.clear()
        self._given_up.clear()
        clear_absorbed(self._folder)
        if self._retention_days is not None:
            drop_older(self._folder, time.time_ns() // 1000 - self._retention_days * 86_400_000_000)
        sweep(self._folder)


def _is_due(logs: Sequence[Path]) -> bool:
    status = [path.stat() for path in logs]
    oldest = min((entry.st_mtime for entry in status), default=float("inf"))
    return sum(entry.st_size for entry in status) >= WAIT_BYTES or time.time() - oldest >= WAIT_S


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    configure_logging()
    os.nice(NICE)
    stop = Stop(arguments.stop_fd)
    stop.on_signals()
    try:
        return record(arguments.data, retention_days=arguments.retention_days, once=arguments.once, stop=stop)
    except (NightschoolError, OSError) as error:
        log.error("recorder_failed reason=%r", str(error))
        return 1


def record(folder: Path, *, retention_days: int | None, once: bool, stop: Stop) -> int:
    """Hold the folder and run; returns the exit code."""
    prepare_folder(folder)
    with lock_at_once(folder / LOCK, patience_s=1.0) as held:
        if not held:
            log.error("recorder_busy folder=%s; another recorder holds it", folder)
            return BUSY
        recorder = Recorder(folder, retention_days=retention_days, stop=stop)
        log.info("recorder_started folder=%s", folder)
        code = recorder.run_once() if once else recorder.run()
    log.info("recorder_ended")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m proxy.recorder", description="Turns finished logs into Parquet.")
    parser.add_argument("data", type=Path, help="the data folder")
    parser.add_argument("--retention-days", type=int, help="delete what is older")
    parser.add_argument("--stop-fd", type=int, help="end when this pipe is closed")
    parser.add_argument("--once", action="store_true", help="absorb what is finished, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())
