"""The response body of an exchange: its text for the record, and the document that columns are made of.

body ── decode ──┬─ events:     reassemble ──┐
                 ├─ assembled:  parse ───────┼─ Answer
                 └─ else:       parse ───────┘
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nightschool.wire import json_text
from nightschool.wire.encoding import UndecodableBody, decode_body
from nightschool.wire.logprobs import without_logprobs
from nightschool.wire.media import as_text, is_json
from nightschool.wire.reassemble import reassemble
from nightschool.wire.sse import is_event_stream
from nightschool.wire.upstream_error import error_type

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response body says."""

    text: str | None = None
    """As received but for ``logprobs``, or as reassembled from a stream; None for a binary body or none at all."""
    document: Any = None
    """Parsed JSON, where it is that."""
    logprobs: list[Any] | None = None
    """``choices[].logprobs``, None where no choice has any; they are here only, not in the text."""
    streamed: bool = False
    complete: bool = True
    error_type: str | None = None
    invalid_utf8: bool = False


def read_answer(
    endpoint: str,
    body: bytes,
    *,
    status: int | None,
    content_type: str,
    content_encoding: str | None,
    assembled: bool = False,
) -> Answer:
    """Read a response body, whatever it is.

    Where nobody lived to write them down, ``status`` and ``content_encoding`` are None and the type is empty.
    ``assembled``: the body is a ``Reassembled.body()``.
    """
    if content_encoding is None:
        content_encoding = "gzip" if body.startswith(_GZIP) else ""
    try:
        body = decode_body(body, content_encoding)
        answer = _read(endpoint, body, content_type, assembled)
    except UndecodableBody as error:
        answer = Answer(error_type=error.error_type)
    if status is None or 200 <= status < 300:
        return answer
    return replace(answer, error_type=error_type(answer.document) or f"http_{status}", complete=True)


def _read(endpoint: str, body: bytes, content_type: str, assembled: bool) -> Answer:
    if assembled:
        return _read_assembled(body)
    if is_event_stream(content_type, body):
        return _read_events(endpoint, body)
    return _read_plain(body, content_type)


def _read_events(endpoint: str, body: bytes) -> Answer:
    whole = reassemble(endpoint, body)
    return Answer(
        text=(whole.text or None) if whole.message is None else json_text.encode(whole.message).decode(),
        document=whole.message,
        logprobs=whole.logprobs,
        streamed=True,
        complete=whole.finished,
        error_type=whole.error_type,
        invalid_utf8=whole.invalid_utf8,
    )


def _read_assembled(body: bytes) -> Answer:
    answer = replace(_read_plain(body, "application/json"), streamed=True)
    if not isinstance(answer.document, dict):
        return replace(answer, error_type=None)  # a stream of unknown shape, kept as text
    if answer.logprobs is None:
        return answer
    for choice in answer.document["choices"]:
        if isinstance(choice, dict):
            choice.pop("logprobs", None)
    return replace(answer, text=json_text.encode(answer.document).decode())


def _read_plain(body: bytes, content_type: str) -> Answer:
    text = as_text(body, content_type)
    if text is None:
        return Answer()
    try:
        document = json_text.decode(body)
    except ValueError:
        return Answer(text=text, error_type="malformed_answer" if is_json(content_type) else None)
    logprobs = _logprobs(document)
    return Answer(
        text=text if logprobs is None else as_text(without_logprobs(body), content_type),
        document=document,
        logprobs=logprobs,
        error_type=_error_in(document),
        invalid_utf8=not json_text.is_utf8(body),
    )


def _error_in(document: Any) -> str | None:
    """Some answer 200 and say in the body that they failed."""
    error = document.get("error") if isinstance(document, dict) else None
    return (error_type(error) or "upstream_error") if error else None


def _logprobs(document: Any) -> list[Any] | None:
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list):
        return None
    found = [choice.get("logprobs") if isinstance(choice, dict) else None for choice in choices]
    return found if any(found) else None
