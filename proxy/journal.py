"""The worker's end of the write-ahead log: an answer's last frame is written before the client can see its end.

The policy, which stands here and nowhere else: **recording never delays or fails a request.**

- A healthy disk is written to directly, one ``writev`` per frame into the page cache, which survives the death of the
process. - A disk that is slow (a write over ``SLOW_WRITE_S``, or a sync outstanding for ``SLOW_SYNC_S``: a hung disk
shows there first) is written to by a thread, from a queue of at most ``queue_bytes``. What does not fit is lost,
counted and shouted. - A disk that refuses (full, gone) costs the frames that it refuses: lost, counted and shouted;
the next frame is tried again.

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
from typing import Literal, NamedTuple

import msgspec

from nightschool.store import wal
from proxy.log_file import DiskLog, LogFile
from proxy.turn import Turn

SLOW_WRITE_S = 0.05
SLOW_SYNC_S = 2.0
TICK_S = 0.05
MAX_PENDING_BYTES = 256 * 1024
DRAIN_BYTES = 1 << 20
"""Of one log are written together while the disk is behind: what is slow is mostly the write, not its length."""
SHOUT_EVERY_S = 10.0
LOOK_EVERY_S = 1.0

log = logging.getLogger("nightschool.journal")


class Log:
    """One log and who still writes to it."""

    def __init__(self, path: Path, header: wal.Header) -> None:
        self.path = path
        self.header = header
        self.opened_at = time.monotonic()
        self.bytes = 0
        self.open_exchanges = 0
        self.retired = False
        self.pending: list[bytes] = []
        """Frames that wait to be written together: at the end of the turn if there is an END, else with the tick."""
        self.pending_frames = 0
        self.pending_bytes = 0
        self.ends_wait = False
        """An END is among them."""
        self.dirty = False
        """Written to since the last sync."""
        self.deleted = False
        """By somebody else: what is written to it cannot be found."""
        self.file: LogFile | None = None
        """None until the first frame is written."""


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """How safely and in what portions; see ``record`` in docs/configuration.md."""

    fsync: Literal["batch", "always", "off"] = "batch"
    segment_s: float = 10.0
    segment_bytes: int = 16 << 20
    queue_bytes: int = 32 << 20


class Portion(NamedTuple):
    """Frames for one log that are written together."""

    log: Log
    buffers: list[bytes]
    frames: int
    bytes: int


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
    ) -> None:
        self.settings = settings
        """May be replaced at any time."""
        self.turn = Turn(self._write_ends)
        """Through which everything goes to a client that may have to be recorded before."""
        self._folder = folder
        self._header = header
        self._open_file = open_file
        self._worker = f"{os.getpid():x}-{os.urandom(4).hex()}"
        self._sequence = 0
        self._current: Log | None = None
        self._with_ends: list[Log] = []
        self._frames = self._bytes = 0
        self._refused = 0
        """Frames that the disk refused; counted by whoever writes."""
        self._overflowed = 0
        """Frames that found the queue full; counted by the loop."""
        self._last_error: str | None = None
        self._lost_when_shouted = 0
        self._shouted_at = 0.0
        self._looked_at = 0.0
        # Shared with the thread; the lock is held for queue operations only, never during a write.
        self._lock = threading.Lock()
        self._queue: deque[Portion] = deque()
        self._queued_bytes = 0
        self._behind = False
        self._dirty: deque[Log] = deque()
        self._closing: list[Log] = []
        self._durable_waiters: list[asyncio.Future[None]] = []
        self._sync_began: float | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
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
        self._give_up()
        self._shout(force=True)

    def _give_up(self) -> None:
        """What is queued behind a disk that is still too slow at the end is lost, and counted."""
        with self._lock:
            left = sum(portion.frames for portion in self._queue)
            self._queued_bytes -= sum(portion.bytes for portion in self._queue)
            self._queue.clear()
        if left:
            self._overflowed += left
            self._last_error = "the disk was too slow to take what was waiting when the proxy ended"

    @property
    def state(self) -> JournalState:
        return JournalState(self._frames, self._bytes, self._lost, self._queued_bytes, self._behind, self._last_error)

    @property
    def _lost(self) -> int:
        return self._refused + self._overflowed

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
        current.pending += buffers
        current.pending_frames += 1
        current.pending_bytes += sum(map(len, buffers))
        if current.pending_bytes > MAX_PENDING_BYTES:
            self._append(current, [])

    def part(self, current: Log, exchange: bytes, body: Sequence[bytes]) -> bool:
        return self._append(current, wal.encode(wal.PART, wal.Part(exchange), body))

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
        if self._loop is not None and not self._behind:
            waiter = self._loop.create_future()
            with self._lock:
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
        with self._lock:
            self._closing.append(finished)
        self._wake.set()

    def _append(self, target: Log, buffers: list[bytes]) -> bool:
        frames = target.pending_frames + (1 if buffers else 0)
        size = target.pending_bytes + sum(map(len, buffers))
        if target.pending:
            buffers = target.pending + buffers
            target.pending = []
            target.pending_frames = target.pending_bytes = 0
        portion = Portion(target, buffers, frames, size)
        if self._behind and (queued := self._enqueue(portion)) is not None:
            return queued
        started = time.perf_counter()
        kept = self._write(portion)
        if time.perf_counter() - started > SLOW_WRITE_S:
            self._fall_behind("a write took %.0f ms" % ((time.perf_counter() - started) * 1000))
        if target.bytes > self.settings.segment_bytes and target is self._current:
            self.rotate()
        return kept

    def _enqueue(self, portion: Portion) -> bool | None:
        """Leave it to the thread: True, or False if the queue is full. None: the thread has caught up meanwhile."""
        with self._lock:
            if not self._behind:
                return None
            if self._queued_bytes + portion.bytes > self.settings.queue_bytes:
                self._overflowed += portion.frames
                self._last_error = f"the disk is too slow: {self._queued_bytes >> 20} MiB are waiting"
                return False
            self._queue.append(portion)
            self._queued_bytes += portion.bytes
        return True

    def _tick(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(TICK_S, self._tick)
        now = time.monotonic()
        began = self._sync_began
        if began is not None and now - began > SLOW_SYNC_S and not self._behind:
            self._fall_behind("a sync has not returned for %.1f s" % (now - began))
        if self._current is not None and self._current.pending:
            self._append(self._current, [])
        if self._current is not None and now - self._current.opened_at > self.settings.segment_s:
            self.rotate()
        elif now - self._looked_at > LOOK_EVERY_S:
            self._looked_at = now
            if self._current is not None and self._is_deleted(self._current):
                self.rotate()
        if self._dirty or self._behind or self._closing:
            self._wake.set()
        self._shout()

    def _is_deleted(self, current: Log) -> bool:
        """Somebody has deleted the log under us: say so, once."""
        if self._behind or current.deleted or current.file is None or not current.file.lost():
            return False
        current.deleted = True
        self._refused += 1
        self._last_error = f"{current.path.name} was deleted by somebody else"
        log.error("log_deleted path=%s; what was in it is lost, a new one is begun", current.path)
        return True

    def _fall_behind(self, why: str) -> None:
        with self._lock:
            if self._behind:
                return
            self._behind = True
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

    def _run(self) -> None:
        while not (self._stopping and not self._queue and not self._closing and not self._dirty):
            self._wake.wait()
            self._wake.clear()
            if self._behind:
                self._drain()
            self._sync()
            if self._stopping:
                self._wake.set()

    def _drain(self) -> None:
        """Write what is queued; when nothing is left and writes are quick again, hand writing back to the loop."""
        quick = False
        while True:
            with self._lock:
                if not self._queue:
                    if quick or self._stopping:
                        self._behind = False
                        log.warning("journal_caught_up")
                    return
                portion = self._oldest()
            started = time.perf_counter()
            self._write(portion)
            quick = time.perf_counter() - started < SLOW_WRITE_S / 10
            with self._lock:
                self._queued_bytes -= portion.bytes

    def _oldest(self) -> Portion:
        """Of the queue, with those behind it that go to the same log; the lock is held."""
        target, buffers, frames, size = self._queue.popleft()
        buffers = list(buffers)
        while self._queue and self._queue[0].log is target and size + self._queue[0].bytes <= DRAIN_BYTES:
            following = self._queue.popleft()
            buffers += following.buffers
            frames += following.frames
            size += following.bytes
        return Portion(target, buffers, frames, size)

    def _sync(self) -> None:
        with self._lock:
            waiters, self._durable_waiters = self._durable_waiters, []
            closing: list[Log] = []
            if not self._queue:  # else the FINISHED frame of a log may still be in it
                closing, self._closing = self._closing, []
        self._sync_began = time.monotonic()
        while self._dirty:
            written = self._dirty.popleft()
            written.dirty = False
            if self.settings.fsync != "off" and written.file is not None:
                with contextlib.suppress(OSError):  # the next write meets the same disk and counts what it costs
                    written.file.sync()
        self._sync_began = None
        for finished in closing:
            if finished.file is not None:
                with contextlib.suppress(OSError):
                    finished.file.close()
        if waiters and self._loop is not None:
            self._loop.call_soon_threadsafe(_resolve, waiters)


def _resolve(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
