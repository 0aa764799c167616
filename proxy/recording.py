"""What is recorded of one exchange, and in which form: whole, redacted, without any text, or not at all.

begin (the request is on its way) -> feed … feed (the answer passes) -> end (before the client can know that it is
complete)

Redaction works on decoded JSON strings, so a stream has to be put together before it can be redacted; that is the one
case in which the worker parses an answer for the record. Nothing that is to be redacted is ever handed to the
journal.
"""

from __future__ import annotations

from typing import Protocol

from nightschool.config import RecordConfig
from nightschool.redaction import redactor_of
from nightschool.store import wal
from nightschool.wire.encoding import UndecodableBody, decode_body
from nightschool.wire.fingerprint import conversation, fingerprint
from nightschool.wire.logprobs import without_logprobs
from nightschool.wire.reassemble import reassemble
from nightschool.wire.redact import Redactor
from nightschool.wire.request import read_request
from nightschool.wire.sse import is_event_stream
from proxy.journal import Journal
from proxy.log import Log
from proxy.reduced import REQUEST_COLUMNS, RESPONSE_COLUMNS, without_text

SPILL_BYTES = 64 * 1024
MAX_RESPONSE_BYTES = 64 << 20


class Recording(Protocol):
    """One exchange on its way into the log."""

    def begin(self, meta: wal.Request, body: bytes) -> None: ...

    def feed(self, chunk: bytes) -> None: ...

    def end(self, meta: wal.End) -> None: ...


class NoRecording:
    """For a caller that opted out, and for ``record.bodies: off``."""

    def begin(self, meta: wal.Request, body: bytes) -> None:
        pass

    def feed(self, chunk: bytes) -> None:
        pass

    def end(self, meta: wal.End) -> None:
        pass


class PlainRecording:
    """Bytes as they came; a long answer goes to the log in parts, so that it is never held in memory."""

    __slots__ = ("_chunks", "_held_bytes", "_id", "_journal", "_kept_bytes", "_log", "_total_bytes")

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._log: Log | None = None
        self._id = b""
        self._chunks: list[bytes] = []
        self._held_bytes = 0
        self._kept_bytes = self._total_bytes = 0

    def begin(self, meta: wal.Request, body: bytes) -> None:
        self._id = meta.id
        self._log = self._journal.begin(meta, (body,))

    def feed(self, chunk: bytes) -> None:
        self._total_bytes += len(chunk)
        if self._total_bytes > MAX_RESPONSE_BYTES:
            return
        self._kept_bytes = self._total_bytes
        self._chunks.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes > SPILL_BYTES and self._log is not None:
            self._journal.part(self._log, self._id, (b"".join(self._chunks),))
            self._chunks = []
            self._held_bytes = 0

    def end(self, meta: wal.End) -> None:
        if self._log is None:
            return
        meta.body_bytes = self._kept_bytes
        if self._total_bytes > MAX_RESPONSE_BYTES:
            meta.error_type = meta.error_type or "response_too_large"
        # One buffer of them: checking and writing dozens costs twice as much as copying them.
        self._journal.end(self._log, meta, (b"".join(self._chunks),))
        self._log = None


class CleanedRecording:
    """Redacted, or reduced to what the columns need.

    The answer is held, put together and cleaned before it is written.
    """

    def __init__(self, journal: Journal, redactor: Redactor, *, text: bool) -> None:
        self._journal = journal
        self._redactor = redactor
        self._text = text
        """False for ``record.bodies: metadata``."""
        self._log: Log | None = None
        self._endpoint = ""
        self._chunks: list[bytes] = []
        self._total_bytes = 0

    def begin(self, meta: wal.Request, body: bytes) -> None:
        self._endpoint = meta.endpoint
        text = self._redactor.text
        meta.tags = {text(key): text(value) for key, value in meta.tags.items()}
        meta.endpoint = text(meta.endpoint)
        meta.model = meta.model and text(meta.model)
        meta.conversation = meta.conversation and text(meta.conversation)
        try:
            body = decode_body(body, meta.content_encoding)
        except UndecodableBody as error:
            body = b""
            meta.error_type = meta.error_type or error.error_type
        meta.content_encoding = ""
        if not self._text:
            request = read_request(body)
            if request is not None:
                meta.conversation = meta.conversation or conversation(request)
                meta.fingerprint = fingerprint(request)
            meta.bodies = False
            body = without_text(body, REQUEST_COLUMNS)
        self._log = self._journal.begin(meta, (self._redactor.json(body),))

    def feed(self, chunk: bytes) -> None:
        self._total_bytes += len(chunk)
        if self._total_bytes <= MAX_RESPONSE_BYTES:
            self._chunks.append(chunk)

    def end(self, meta: wal.End) -> None:
        if self._log is None:
            return
        meta.upstream_request_id = meta.upstream_request_id and self._redactor.text(meta.upstream_request_id)
        if self._total_bytes > MAX_RESPONSE_BYTES:
            meta.error_type = meta.error_type or "response_too_large"
        try:
            body = decode_body(b"".join(self._chunks), meta.content_encoding)
        except UndecodableBody as error:
            body = b""
            meta.error_type = meta.error_type or error.error_type
        meta.content_encoding = ""
        if is_event_stream(meta.content_type, body):
            whole = reassemble(self._endpoint, body)
            body = whole.body()
            meta.form = "assembled"
            meta.complete = meta.complete and whole.finished
            meta.error_type = meta.error_type or whole.error_type
            if self._redactor and whole.message is None and body:
                # A text spread over its events could not be found, and nobody knows how to put them together.
                body, meta.error_type = b"", meta.error_type or "unknown_stream"
        if not self._text:
            body = without_text(body, RESPONSE_COLUMNS)
        if self._redactor:
            body = without_logprobs(body)  # tokens and their alternatives, in which a pattern sees only pieces
        self._journal.end(self._log, meta, (self._redactor.json(body),))
        self._log = None


class RecordingPolicy:
    """Chooses the form for each exchange; made anew when the configuration changes."""

    def __init__(self, config: RecordConfig, journal: Journal) -> None:
        self._journal = journal
        self._bodies = config.bodies
        self._redactor = redactor_of(config)
        self._cleans = config.bodies == "metadata" or bool(config.redact)
        self.alternatives = config.logprobs if config.bodies == "full" and not config.redact else 0
        """How many to each token are wanted of an upstream; with 0 no log probabilities are asked for."""

    def as_recorded(self, body: bytes) -> bytes:
        """A request's body, redacted; the very same object where nothing is taken out."""
        return self._redactor.json(body) if self._bodies == "full" else body

    def redacted(self, text: str) -> str:
        return self._redactor.text(text)

    def recording(self, wanted: bool) -> Recording:
        """``wanted`` is false for a caller who opted out."""
        if not wanted or self._bodies == "off":
            return NoRecording()
        if self._cleans:
            return CleanedRecording(self._journal, self._redactor, text=self._bodies == "full")
        return PlainRecording(self._journal)
