"""The request body of an exchange: its text for the record, and the fields that columns are made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from nightschool.wire import json_text
from nightschool.wire.encoding import UndecodableBody, decode_body
from nightschool.wire.media import as_text, is_json
from nightschool.wire.request import RequestBody, read_request


@dataclass(frozen=True, slots=True)
class Question:
    """What a request body says."""

    text: str | None = None
    """Exactly as sent; None for a multipart or binary body."""
    body: RequestBody = field(default_factory=RequestBody)
    error_type: str | None = None
    invalid_utf8: bool = False
    """Bytes that are not UTF-8 became U+FFFD in ``text``."""


def read_question(body: bytes, content_type: str, content_encoding: str) -> Question:
    """Read a request body, whatever it is."""
    try:
        body = decode_body(body, content_encoding)
    except UndecodableBody as error:
        return Question(error_type=error.error_type)
    text = as_text(body, content_type)
    if text is None:
        return Question()
    fields = read_request(body)
    malformed = fields is None and is_json(content_type) and not json_text.is_valid(body)
    return Question(
        text=text,
        body=fields or RequestBody(),
        error_type="invalid_json" if malformed else None,
        invalid_utf8=not json_text.is_utf8(body),
    )
