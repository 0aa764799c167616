"""A streamed answer -> one document, whole or as far as it came.

    bytes -> EventSplitter -> event_data -> ChatStream | CompletionsStream | ResponsesStream -> Reassembled

Pure and incremental: however the bytes are cut, the result is the same, and no bytes make it raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nightschool.wire import json_text
from nightschool.wire.chat_stream import ChatStream
from nightschool.wire.completions_stream import CompletionsStream
from nightschool.wire.event_stream import EventStream
from nightschool.wire.responses_stream import ResponsesStream
from nightschool.wire.sse import EventSplitter, event_data
from nightschool.wire.upstream_error import error_type


@dataclass(frozen=True, slots=True)
class Reassembled:
    """What came of a stream."""

    message: dict[str, Any] | None
    """The answer as it would have come without streaming, but for ``logprobs``; None where nobody knows its shape."""
    logprobs: list[Any] | None
    """``choices[].logprobs``, in the order of the choices."""
    text: str
    """The stream as it came, where there is no message."""
    finished: bool
    """The upstream said that the answer is whole, and no error came. A stream of unknown shape counts as whole."""
    error: Any
    """What an error event said: an object, or whatever stood in its place."""
    bad_events: int
    """Events that were no JSON object."""
    invalid_utf8: bool
    """Bytes that are not UTF-8 were replaced by U+FFFD."""

    @property
    def error_type(self) -> str | None:
        """What is wrong with the stream, in the record's words."""
        if self.error:
            return error_type(self.error) or "stream_error"
        if self.bad_events:
            return "malformed_stream"
        return "invalid_utf8" if self.invalid_utf8 else None

    def body(self) -> bytes:
        """All of it as one body, log probabilities where the API has them: what a redacting worker puts in its log."""
        if self.message is None:
            return self.text.encode()
        choices = self.message.get("choices")
        if self.logprobs is None or not isinstance(choices, list):
            return json_text.encode(self.message)
        with_logprobs = [{**choice, "logprobs": found} for choice, found in zip(choices, self.logprobs, strict=True)]
        return json_text.encode({**self.message, "choices": with_logprobs})


class Reassembler:
    """Feed it the body of a stream as it arrives, then ``finish`` it once."""

    def __init__(self, endpoint: str) -> None:
        self._splitter = EventSplitter()
        self._stream: EventStream | None = _stream_for(endpoint)
        self._unread: list[bytes] = []
        """The bytes so far, until an event shows that the stream is what its endpoint promises."""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body, decoded from any ``content-encoding``."""
        stream = self._stream
        if stream is None or not stream.recognised:
            self._unread.append(chunk)
        if stream is None:
            return
        for data in self._splitter.feed_data(chunk):
            stream.feed(data)
        if stream.recognised:
            self._unread.clear()

    def finish(self) -> Reassembled:
        """What came of the bytes."""
        stream = self._stream
        if stream is not None:
            self._feed_tail(stream)
        if stream is None or not stream.recognised:
            return self._as_text(stream)
        return Reassembled(
            message=stream.message(),
            logprobs=stream.logprobs(),
            text="",
            finished=stream.finished and not stream.error,
            error=stream.error,
            bad_events=stream.bad_events,
            invalid_utf8=stream.invalid_utf8,
        )

    def _feed_tail(self, stream: EventStream) -> None:
        """Take a last event that lacks its blank line; what cannot be read of it was cut, and is not a bad event."""
        data = event_data(self._splitter.rest)
        if data is None:
            return
        before = stream.bad_events, stream.invalid_utf8
        stream.feed(data)
        if stream.bad_events > before[0]:
            stream.bad_events, stream.invalid_utf8 = before

    def _as_text(self, stream: EventStream | None) -> Reassembled:
        raw = b"".join(self._unread)
        return Reassembled(
            message=None,
            logprobs=None,
            text=raw.decode("utf-8", "replace"),
            finished=stream is None or (stream.events > 0 and not stream.error),
            error=stream and stream.error,
            bad_events=stream.bad_events if stream else 0,
            invalid_utf8=not json_text.is_utf8(raw),
        )


def reassemble(endpoint: str, body: bytes) -> Reassembled:
    """Put the stream of one exchange together; ``endpoint`` is the path below the API base."""
    reassembler = Reassembler(endpoint)
    reassembler.feed(body)
    return reassembler.finish()


def _stream_for(endpoint: str) -> EventStream | None:
    make: Callable[[], EventStream]
    path = endpoint.partition("?")[0].rstrip("/")
    if path.endswith("/chat/completions"):
        make = ChatStream
    elif path.endswith("/completions"):
        make = CompletionsStream
    elif "responses" in path.split("/"):
        make = ResponsesStream
    else:
        return None
    return make()
