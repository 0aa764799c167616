"""A request body, read only as deep as routing and recording need.

What is not needed stays raw JSON, so that the cost hardly grows with the prompt. Nothing is validated: a field of the
wrong type reads as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec

from nightschool.wire import json_text

ABSENT = msgspec.Raw(b"null")


class Turn(msgspec.Struct, frozen=True):
    """One message of a prompt."""

    role: Any = None
    """A string, in every turn that ``RequestBody.turns`` gives."""
    raw_content: msgspec.Raw = msgspec.field(default=ABSENT, name="content")

    @property
    def content(self) -> Any:
        """A string, a list of parts, or whatever else was sent; decoded for whoever asks, each time."""
        return value(self.raw_content)


class RequestBody(msgspec.Struct, dict=True):
    """The fields that are looked at, as the client sent them; whatever is an object or a list is raw JSON."""

    model: Any = None
    stream: Any = None
    metadata: Any = None
    stream_options: Any = None
    messages: msgspec.Raw = ABSENT
    instructions: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT
    tools: msgspec.Raw = ABSENT
    functions: msgspec.Raw = ABSENT
    response_format: msgspec.Raw = ABSENT
    text: msgspec.Raw = ABSENT
    logprobs: msgspec.Raw = ABSENT
    top_logprobs: msgspec.Raw = ABSENT

    @property
    def model_name(self) -> str | None:
        return json_text.mend(self.model) if isinstance(self.model, str) else None

    @property
    def tags(self) -> dict[str, str]:
        """The entries of ``metadata`` that are text."""
        if not isinstance(self.metadata, dict):
            return {}
        entries = self.metadata.items()
        return {json_text.mend(key): json_text.mend(entry) for key, entry in entries if isinstance(entry, str)}

    @cached_property
    def turns(self) -> tuple[Turn, ...]:
        """The prompt's messages in order, of a chat or a Responses request; read once, their contents not at all."""
        spoken = [turn for turn in _listed(self.messages) or _listed(self.input) if isinstance(turn.role, str)]
        return (*_unlisted(self), *spoken)


_decode_body = msgspec.json.Decoder(RequestBody).decode
_decode_turns = msgspec.json.Decoder(list[Turn]).decode


def read_request(body: bytes) -> RequestBody | None:
    """The fields of a body; None if it is not a JSON object."""
    try:
        return _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_leniently(body)


def value(raw: msgspec.Raw) -> Any:
    """The value of a raw field; None if it is absent or cannot be read."""
    if raw is ABSENT:
        return None
    try:
        return json_text.decode(raw)
    except ValueError:
        return None


def _unlisted(request: RequestBody) -> Iterator[Turn]:
    """What a Responses request says outside of a list of messages."""
    instructions = value(request.instructions)
    if isinstance(instructions, str) and instructions:
        yield Turn("system", request.instructions)
    if bytes(memoryview(request.input)[:1]) == b'"':
        yield Turn("user", request.input)


def _listed(raw: msgspec.Raw) -> list[Turn]:
    try:
        return _decode_turns(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        entries = value(raw)
    if not isinstance(entries, list):
        return []
    return [Turn(entry.get("role"), _raw(entry.get("content"))) for entry in entries if isinstance(entry, dict)]


def _read_leniently(body: bytes) -> RequestBody | None:
    try:
        fields = json_text.decode(body)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    request = RequestBody(
        fields.get("model"), fields.get("stream"), fields.get("metadata"), fields.get("stream_options")
    )
    for name in RequestBody.__struct_fields__[4:]:
        setattr(request, name, _raw(fields.get(name)))
    return request


def _raw(entry: Any) -> msgspec.Raw:
    return ABSENT if entry is None else msgspec.Raw(json_text.encode(entry))
