"""Server-sent events: bytes of any size in, whole events out, then the data of one event.

    bytes -> EventSplitter.feed -> whole events, byte for byte as they came -> event_data -> data, or None

The events of a splitter, joined, plus its ``rest`` are always the bytes that were fed: nothing is lost or changed.
"""

from __future__ import annotations

import re

_END = re.compile(rb"(?:\r\n|\n|\r(?!\n|\Z)){2}")
"""Two line ends in a row. A CR at the end of the buffer is left alone: it may be the first half of a CRLF."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIRST_EVENT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?::[^\n]*\s+)*(?:event:[^\n]*\n)?data: ?[{\[]")
_MISLABELLED = frozenset({"", "application/json", "application/octet-stream", "text/plain"})


def is_event_stream(content_type: str, head: bytes) -> bool:
    """Whether a body is made of events: by its type or, since some servers mislabel theirs, by how it begins."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "text/event-stream" or (kind in _MISLABELLED and _FIRST_EVENT.match(head) is not None)


class EventSplitter:
    """Cuts a byte stream behind every blank line; does not look inside the events."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0

    @property
    def rest(self) -> bytes:
        """The bytes behind the last whole event."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that ``chunk`` makes whole, each with its blank line."""
        if not self._buffer and len(chunk) > 1 and chunk.find(b"\n\n") == len(chunk) - 2 and b"\r" not in chunk:
            return [chunk]  # what a server that flushes each event gives us: nothing to copy
        self._buffer += chunk
        events = self._cut_lf() if b"\r" not in self._buffer else self._cut_any()
        self._scanned = max(0, len(self._buffer) - 3)
        return events

    def feed_data(self, chunk: bytes) -> list[bytes]:
        """The data of the events that ``chunk`` makes whole; events without data are left out."""
        if self._buffer or b"\r" in chunk:
            found = [event_data(event) for event in self.feed(chunk)]
        else:  # a whole body at once, as the recorder has it: the same, without copying each event twice
            *events, rest = chunk.split(b"\n\n")
            self._buffer += rest
            found = [_data_of_lines(event) for event in events]
        return [data for data in found if data is not None]

    def _cut_lf(self) -> list[bytes]:
        if self._buffer.find(b"\n\n", self._scanned) < 0:
            return []
        *events, rest = bytes(self._buffer).split(b"\n\n")
        self._buffer = bytearray(rest)
        return [event + b"\n\n" for event in events]

    def _cut_any(self) -> list[bytes]:
        events = []
        start, buffer = 0, bytes(self._buffer)
        for match in _END.finditer(buffer, self._scanned):
            events.append(buffer[start : match.end()])
            start = match.end()
        del self._buffer[:start]
        return events


def event_data(event: bytes) -> bytes | None:
    """The value of the event's ``data`` fields, joined by LF; None for a comment, a blank line or other fields only."""
    if event.endswith(b"\n\n") and b"\r" not in event:
        return _data_of_lines(event[:-2])
    return _data_of_lines(b"\n".join(_LINE_END.split(event)))


def _data_of_lines(event: bytes) -> bytes | None:
    """The same for an event whose lines end in LF; the blank line may be missing."""
    if event.startswith(b"data: ") and b"\n" not in event:
        return event[6:]
    fields = [_data_field(line) for line in event.removeprefix(_BYTE_ORDER_MARK).split(b"\n")]
    data = [field for field in fields if field is not None]
    return b"\n".join(data) if data else None


def _data_field(line: bytes) -> bytes | None:
    name, _, value = line.partition(b":")
    return value.removeprefix(b" ") if name == b"data" else None
