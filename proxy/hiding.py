"""Answer of an upstream that was asked for more than the client asked -> the answer that the client would have had.

Streams pass event by event. A body passes as it comes; where the upstream said its length, up to a mebibyte of it waits
so that the new length can be said, and what is longer goes out in chunks.
"""

from __future__ import annotations

from typing import Protocol

from nightschool.wire.logprobs import LogprobsFilter
from proxy.client import Client
from proxy.headers import AnswerHead
from proxy.inquiry import USAGE, Inquiry
from proxy.stream_usage import UsageFilter

MAX_HELD_BYTES = 1 << 20


class _Filter(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


class Hiding:
    """Begins the client's answer, and says what of each piece is the client's to see."""

    def __init__(self, client: Client, status: int, head: AnswerHead, asked: Inquiry, *, events: bool) -> None:
        self._client = client
        self._status = status
        self._lines = head.lines
        self._filters = _filters(asked, events=events)
        self._held: list[bytes] = []
        self._held_bytes = 0
        if events or head.content_length is None:
            self._start(None)

    def feed(self, data: bytes, *, ended: bool) -> bytes:
        """What to pass on now; with ``ended``, the last of it."""
        for each in self._filters:
            data = each.feed(data) + (each.flush() if ended else b"")
        if self._client.started:
            return data
        self._held.append(data)
        self._held_bytes += len(data)
        if ended:
            return self._start(b"content-length: %d\r\n" % self._held_bytes)
        return self._start(None) if self._held_bytes > MAX_HELD_BYTES else b""

    def cut(self) -> bytes:
        """What still waits when the upstream has broken off: the client sees as much of the answer as there is."""
        return b"" if self._client.started else self._start(None)

    def _start(self, length: bytes | None) -> bytes:
        self._client.start(self._status, self._lines, length)
        held, self._held = b"".join(self._held), []
        return held


def _filters(asked: Inquiry, *, events: bool) -> list[_Filter]:
    """Log probabilities go first: an event is small enough to be held when they are gone."""
    filters: list[_Filter] = []
    if any(question.about == "logprobs" for question in asked):
        filters.append(LogprobsFilter(events=events))
    if events and USAGE in asked:
        filters.append(UsageFilter())
    return filters
