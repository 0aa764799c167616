"""The worker's end of the write-ahead log: an answer's last frame is written before the client can see its end.

The policy, which stands here and nowhere else: **recording never delays or fails a request.**

* A healthy disk is written to directly, one ``writev`` for all that waits, into the page cache, which survives the
  death of the process.
* A disk that is slow (a write over ``SLOW_WRITE_S``, or a sync outstanding for ``SLOW_SYNC_S``: a hung disk shows there
  first) is written to by a thread, from a backlog of at most ``queue_bytes``. What does not fit is lost, counted and
  shouted.
* A disk that refuses (full, gone) costs the frames that it refuses: lost, counted and shouted; the next frame is tried
  again.

Every exchange lives in one log from its REQUEST to its END. A log is retired after ``segment_s`` or ``segment_bytes``
and finished when the last of its exchanges has ended; then it is the recorder's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from nightschool.store import wal
from proxy.backlog import Backlog
from proxy.fault import end_process
from proxy.log import Log, Portion
from proxy.log_file import DiskLog, LogFile
from proxy.turn import Turn

SLOW_WRITE_S = 0.05
SLOW_SYNC_S = 2.0
TICK_S = 0.05
MAX_PENDING_BYTES = 256 * 1024
SHOUT_EVERY_S = 10.0
LOOK_EVERY_S = 1.0

log = logging.getLogger("nightschool.journal")


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """How safely and in what portions; see ``record`` in docs/configuration.md."""

    fsync: Literal["batch", "always", "off"] = "batch"
    segment_s: float = 10.0
    segment_bytes: int = 16 << 20
    queue_bytes: int = 32 << 20


class JournalState(msgspec.Struct, frozen=True):
    """For metrics and readiness."""

    frames: int
    bytes: int
    lost: int
    queued_bytes: int
    behind: bool
    last_error: str | None


class Journal:
    """Appends frames; used by one event loop, helped by one thread. ``start`` it in the loop, ``await close()`` it."""

    def __init__(
        self,
        folder: Path,
        header: Callable[[], wal.Header],
        settings: JournalSettings,
        *,
        open_file: Callable[[Path], LogFile] = DiskLog,
        on_fault: Callable[[BaseException], object] = end_process,
    ) -> None:
        """``on_fault`` is called in the thread that helps, when it dies."""
        self.settings = settings
        """May be replaced at any time."""
        self.turn = Turn(self._write_ends)
        """Through which everything goes to a client that may have to be recorded before."""
        self._folder = folder
        self._header = header
        self._open_file = open_file
        self._on_fault = on_fault
        self._worker = f"{os.getpid():x}-{os.urandom(4).hex()}"
        self._sequence = 0
        self._current: Log | None = None
        self._with_ends: list[Log] = []
        self._frames = self._bytes = 0
        self._refused = 0
        """Frames that the disk refused; counted by whoever writes."""
        self._overflowed = 0
        """Frames that found the queue full; counted by the loop."""
        self._not_synced = 0
        """Frames that the disk took and then could not keep; counted by the thread."""
        self._last_error: str | None = None
        self._lost_when_shouted = 0
        self._shouted_at = 0.0
        self._looked_at = 0.0
        # Shared with the thread.
        self._backlog = Backlog()
        self._dirty: deque[Log] = deque()
        self._closing: deque[Log] = deque()
        self._durable_waiters: deque[asyncio.Future[None]] = deque()
        self._sync_began: float | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._help, name="journal", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    # -- in the event loop

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        self._timer = self._loop.call_later(TICK_S, self._tick)

    async def close(self, timeout_s: float = 10.0) -> None:
        """Finish every log and wait until the disk has them, ``timeout_s`` at the most."""
        if self._timer is not None:
            self._timer.cancel()
        self._write_ends()
        self.rotate()
        self._stopping = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join, timeout_s)
        if dropped := self._backlog.give_up():
            self._overflowed += dropped
            self._last_error = "the disk was too slow to take what was waiting when the proxy ended"
        self._shout(force=True)

    @property
    def state(self) -> JournalState:
        backlog = self._backlog
        return JournalState(self._frames, self._bytes, self._lost, backlog.bytes, backlog.behind, self._last_error)

    @property
    def _lost(self) -> int:
        return self._refused + self._overflowed + self._not_synced

    def begin(self, meta: wal.Request, body: Sequence[bytes]) -> Log:
        """Take a REQUEST, which is written within ``TICK_S`` or with the next END.

        The log it is in takes the rest of the exchange, up to ``end``.
        """
        current = self._current
        if current is None:
            current = self._current = self._new_log()
        current.open_exchanges += 1
        self._pend(current, wal.encode(wal.REQUEST, meta, body))
        return current

    def _pend(self, current: Log, buffers: list[bytes]) -> None:
        current.pend(buffers)
        if current.pending_bytes > MAX_PENDING_BYTES:
            self._append(current, [])

    def part(self, current: Log, exchange: bytes, body: Sequence[bytes]) -> None:
        """Write a PART. Whether it was lost shows when the exchange is read: its END counts the bytes."""
        self._append(current, wal.encode(wal.PART, wal.Part(exchange), body))

    def end(self, current: Log, meta: wal.End, body: Sequence[bytes]) -> None:
        """Take an END, which is written before anything that goes through ``turn`` from now on.

        The exchange must not use the log any more.
        """
        self._pend(current, wal.encode(wal.END, meta, body))
        if not current.ends_wait:
            current.ends_wait = True
            self._with_ends.append(current)
            self.turn.ask()
        current.open_exchanges -= 1
        if current.retired and not current.open_exchanges:
            self._finish(current)

    def _write_ends(self) -> None:
        """At the end of a turn, before the clients have their answers."""
        for each in self._with_ends:
            each.ends_wait = False
            if each.pending:
                self._append(each, [])
        self._with_ends.clear()

    def feedback(self, meta: msgspec.Struct) -> bool:
        """Write a FEEDBACK frame; False when it is lost."""
        current = self._current
        if current is None:
            current = self._current = self._new_log()
        return self._append(current, wal.encode(wal.FEEDBACK, meta))

    @property
    def waits_for_disk(self) -> bool:
        """``fsync: always``: an answer is held until ``durable`` returns."""
        return self.settings.fsync == "always"

    async def durable(self) -> None:
        """Returns once what was written so far is on the disk; at once while that is too slow to wait for."""
        self._write_ends()
        if self._loop is not None and not self._backlog.behind:
            waiter = self._loop.create_future()
            self._durable_waiters.append(waiter)
            self._wake.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(waiter, SLOW_SYNC_S)

    def rotate(self) -> None:
        """Retire the log in use; the next exchange opens another one, with a fresh header."""
        current, self._current = self._current, None
        if current is not None:
            if current.pending:
                self._append(current, [])
            self._is_deleted(current)
            current.retired = True
            if not current.open_exchanges:
                self._finish(current)

    def _new_log(self) -> Log:
        self._sequence += 1
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{self._worker}-{self._sequence:06d}.wal"
        return Log(self._folder / name, self._header())

    def _finish(self, finished: Log) -> None:
        self._append(finished, wal.encode(wal.FINISHED, None))
        self._closing.append(finished)
        self._wake.set()

    def _append(self, target: Log, buffers: list[bytes]) -> bool:
        """Write what waits for ``target``, and a frame of ``buffers`` if there are any; False when it is lost."""
        portion = target.portion(buffers)
        if self._backlog.behind and (queued := self._backlog.put(portion, self.settings.queue_bytes)) is not None:
            if not queued:
                self._overflowed += portion.frames
                self._last_error = f"the disk is too slow: {self._backlog.bytes >> 20} MiB are waiting"
            return queued
        started = time.perf_counter()
        kept = self._write(portion)
        if time.perf_counter() - started > SLOW_WRITE_S:
            self._fall_behind("a write took %.0f ms" % ((time.perf_counter() - started) * 1000))
        if target.bytes > self.settings.segment_bytes and target is self._current:
            self.rotate()
        return kept

    def _tick(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now = time.monotonic()
        began = self._sync_began
        if began is not None and now - began > SLOW_SYNC_S:
            self._fall_behind("a sync has not returned for %.1f s" % (now - began))
        if self._current is not None and self._current.pending:
            self._append(self._current, [])
        if self._current is not None and self._is_done_with(self._current, now):
            self.rotate()
        elif now - self._looked_at > LOOK_EVERY_S:
            self._looked_at = now
            if self._current is not None and self._is_deleted(self._current):
                self.rotate()
        if self._dirty or self._backlog.behind or self._closing:
            self._wake.set()
        self._shout()

    def _is_done_with(self, current: Log, now: float) -> bool:
        """It is old, or has a hole, behind which nothing could be read."""
        return current.sync_failed or now - current.opened_at > self.settings.segment_s

    def _is_deleted(self, current: Log) -> bool:
        """Somebody has deleted the log under us: say so, once."""
        if self._backlog.behind or current.deleted or current.file is None or not current.file.lost():
            return False
        current.deleted = True
        self._refused += 1
        self._last_error = f"{current.path.name} was deleted by somebody else"
        log.error("log_deleted path=%s; what was in it is lost, a new one is begun", current.path)
        return True

    def _fall_behind(self, why: str) -> None:
        if self._backlog.fall_behind():
            log.warning("journal_behind cause=%r; frames are queued, traffic goes on", why)
            self._wake.set()

    def _shout(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if self._lost > self._lost_when_shouted and (force or now - self._shouted_at > SHOUT_EVERY_S):
            log.error(
                "records_lost count=%d total=%d cause=%r; traffic goes on, but it is not being recorded",
                self._lost - self._lost_when_shouted,
                self._lost,
                self._last_error,
            )
            self._lost_when_shouted = self._lost
            self._shouted_at = now

    # -- in the loop while the disk is healthy, in the thread while it is behind: never in both

    def _write(self, portion: Portion) -> bool:
        target = portion.log
        try:
            if target.file is None:
                target.file = self._opened(target)
            target.file.write(portion.buffers)
        except OSError as error:
            self._refused += portion.frames
            self._last_error = f"{error.strerror or error} ({target.path.name})"
            return False
        target.bytes += portion.bytes
        target.frames += portion.frames
        self._frames += portion.frames
        self._bytes += portion.bytes
        if not target.dirty:
            target.dirty = True
            self._dirty.append(target)
        return True

    def _opened(self, target: Log) -> LogFile:
        file = self._open_file(target.path)
        try:
            file.write(wal.encode(wal.HEADER, target.header))
        except OSError:
            file.close()
            target.path.unlink(missing_ok=True)
            raise
        return file

    # -- in the thread

    def _help(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001  whatever it is: without the thread all records would be lost
            self._on_fault(error)

    def _run(self) -> None:
        while not (self._stopping and not self._backlog and not self._closing and not self._dirty):
            self._wake.wait()
            self._wake.clear()
            if self._backlog.behind:
                self._drain()
            self._sync()
            if self._stopping:
                self._wake.set()

    def _drain(self) -> None:
        """Write what is queued; when nothing is left and writes are quick again, hand writing back to the loop."""
        quick = False
        while (portion := self._backlog.take(quick=quick or self._stopping)) is not None:
            started = time.perf_counter()
            self._write(portion)
            quick = time.perf_counter() - started < SLOW_WRITE_S / 10
            self._backlog.written(portion)
        if not self._backlog.behind:
            log.warning("journal_caught_up")

    def _sync(self) -> None:
        waiters = [self._durable_waiters.popleft() for _ in range(len(self._durable_waiters))]
        finished_logs = len(self._closing)
        if self._backlog:  # the FINISHED frame of one may still be in it; it went there before the log came here
            finished_logs = 0
        self._sync_began = time.monotonic()
        while self._dirty:
            written = self._dirty.popleft()
            written.dirty = False
            if self.settings.fsync != "off" and written.file is not None:
                self._sync_one(written, written.file)
        self._sync_began = None
        for finished in [self._closing.popleft() for _ in range(finished_logs)]:
            if finished.file is not None:
                with contextlib.suppress(OSError):
                    finished.file.close()
        if waiters and self._loop is not None:
            self._loop.call_soon_threadsafe(_resolve, waiters)

    def _sync_one(self, written: Log, file: LogFile) -> None:
        """A disk that could not keep what it took says so once: the next sync succeeds, and the frames are gone."""
        frames = written.frames
        try:
            file.sync()
        except OSError as error:
            written.sync_failed = True
            self._not_synced += frames - written.synced_frames
            self._last_error = f"{error.strerror or error} ({written.path.name}, when the disk was to keep it)"
        written.synced_frames = frames


def _resolve(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
