"""Logs as the recorder and the readers see them: which are finished, and the rows in one.

    frames -> one exchange per REQUEST ... END -> Record

A log is finished once nobody holds its lock: its worker has closed it, or is dead. In a log that is still being
written, an exchange counts when its END is there; in a finished one, an exchange without END was cut by the death of
the proxy.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from nightschool.errors import StoreError
from nightschool.record import SCHEMA_VERSION, Feedback, Price, Record, id_text
from nightschool.store import wal
from nightschool.store.exchange import to_record
from nightschool.store.lock import is_locked

FOLDER = "wal"
EMPTY_FOR_S = 60.0
"""An empty log is left alone for so long: whoever made it may not have written yet."""
NAMED_FAULTS = 3
YEARS_US = range(253_402_300_800_000_000)
"""Times that can be stored: the years 1970 to 9999."""

_decode_feedback = msgspec.msgpack.Decoder(Feedback).decode


def list_logs(folder: Path) -> list[Path]:
    """Logs of the data folder, oldest first."""
    return sorted((folder / FOLDER).glob("*.wal"))


def is_finished(path: Path) -> bool:
    """True when no process writes to the log any more. Ask before reading the log, not after."""
    if is_locked(path):
        return False
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return status.st_size > 0 or time.time() - status.st_mtime > EMPTY_FOR_S


class LogUnreadable(StoreError):
    """A log must be left as it is: the disk, or the version of what wrote it, does not let it be read."""

    def __init__(self, path: Path, cause: str, *, remedy: str) -> None:
        self.path = path
        super().__init__(f"{path} cannot be read: {cause}", remedy=remedy)


class LogReader:
    """The rows of one log, oldest answer first. Iterate it once, to the end; then it can say what was damaged.

    Raises LogUnreadable, possibly in the middle, and FileNotFoundError if the log was deleted meanwhile.
    """

    def __init__(self, path: Path, *, finished: bool) -> None:
        self.path = path
        self.finished = finished
        self.end_offset = 0
        """Where the last whole frame ends; behind it is a frame in the making, half a frame of the dead, or damage."""
        self.damaged = 0
        """Frames that are whole but make no sense."""
        self.damage: list[str] = []
        """What is wrong with the first of them."""
        self._prices: Mapping[str, Price] = {}
        self._student_price: Price | None = None
        self._open: dict[bytes, tuple[wal.Request, bytes, list[bytes]]] = {}

    def __iter__(self) -> Iterator[Record | Feedback]:
        for frame in self._frames():
            begin, self.end_offset = self.end_offset, frame.end_offset
            try:
                row = self._take(frame)
            except (msgspec.DecodeError, ValueError) as error:
                self._note(f"the frame at byte {begin} makes no sense ({error})")
                continue
            if row is not None:
                yield row
        if self.finished:
            for request, body, parts in self._open.values():
                if (row := self._record(request, body, None, parts)) is not None:
                    yield row

    def _frames(self) -> Iterator[wal.Frame]:
        try:
            yield from wal.read_frames(self.path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LogUnreadable(self.path, str(error), remedy="look after the disk; it is tried again") from error
        except MemoryError as error:
            raise self._too_large() from error

    def _too_large(self) -> LogUnreadable:
        return LogUnreadable(self.path, "memory ran out", remedy="leave it more memory; it is tried again")

    def _take(self, frame: wal.Frame) -> Record | Feedback | None:
        """The row that the frame completes."""
        match frame.kind:
            case wal.REQUEST:
                request = wal.decode_request(frame.meta)
                _check_time(request.time_us)
                self._open[request.id] = (request, frame.body, [])
            case wal.PART:
                if begun := self._open.get(wal.decode_part(frame.meta).id):
                    begun[2].append(frame.body)
            case wal.END:
                end = wal.decode_end(frame.meta)
                if begun := self._open.pop(end.id, None):  # else its REQUEST was lost on a full disk, and counted there
                    request, body, parts = begun
                    answer = [*parts, frame.body]
                    if end.body_bytes is not None and sum(map(len, answer)) != end.body_bytes:
                        end.complete, end.error_type = False, end.error_type or "record_torn"
                    return self._record(request, body, end, answer)
            case wal.FEEDBACK:
                feedback = _decode_feedback(frame.meta)
                _check_time(feedback.time_us)
                return feedback
            case wal.HEADER:
                header = self._header(frame)
                self._prices, self._student_price = header.prices, header.student_price
            case wal.FINISHED:
                pass
            case other:
                raise ValueError(f"unknown kind {other}")
        return None

    def _header(self, frame: wal.Frame) -> wal.Header:
        header = wal.decode_header(frame.meta)
        if header.schema_version > SCHEMA_VERSION:
            raise LogUnreadable(
                self.path,
                f"its schema version is {header.schema_version}, this nightschool knows up to {SCHEMA_VERSION}",
                remedy="run the recorder of the nightschool that wrote it",
            )
        return header

    def _record(self, request: wal.Request, body: bytes, end: wal.End | None, answer: list[bytes]) -> Record | None:
        try:
            return to_record(request, body, end, b"".join(answer), self._prices, self._student_price)
        except MemoryError as error:
            raise self._too_large() from error
        except Exception as error:  # noqa: BLE001  one exchange that trips a parser must not stop all recording
            self._note(f"exchange {id_text(request.id)} cannot be parsed ({type(error).__name__}: {error})")
            return None

    def _note(self, fault: str) -> None:
        self.damaged += 1
        if len(self.damage) < NAMED_FAULTS:
            self.damage.append(fault)

    def told_damage(self) -> str:
        """For people; empty if there is none."""
        more = f"; and {self.damaged - len(self.damage)} more" if self.damaged > len(self.damage) else ""
        return "; ".join(self.damage) + more


def _check_time(time_us: int) -> None:
    if time_us not in YEARS_US:
        raise ValueError(f"no clock can show {time_us} microseconds")
