"""A request body, read only as deep as routing and recording need.

What is not needed stays raw JSON, so that the cost hardly grows with the prompt. Nothing is validated: a field of the
wrong type reads as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from nightschool.wire import json_text

ABSENT = msgspec.Raw(b"null")


class RequestBody(msgspec.Struct):
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


class Turn(NamedTuple):
    """One message of a prompt."""

    role: str
    content: Any
    """A string, a list of parts, or whatever else was sent."""


class _RawTurn(msgspec.Struct):
    role: Any = None
    content: msgspec.Raw = ABSENT


_decode_body = msgspec.json.Decoder(RequestBody).decode
_decode_turns = msgspec.json.Decoder(list[_RawTurn]).decode


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


def turns(request: RequestBody) -> Iterator[Turn]:
    """The prompt's messages in order, of a chat or a Responses request; a content is decoded when it is reached."""
    instructions = value(request.instructions)
    if isinstance(instructions, str) and instructions:
        yield Turn("system", instructions)
    if bytes(memoryview(request.input)[:1]) == b'"':
        yield Turn("user", value(request.input))
    for turn in _raw_turns(request.messages) or _raw_turns(request.input):
        if isinstance(turn.role, str):
            yield Turn(turn.role, value(turn.content))


def _raw_turns(raw: msgspec.Raw) -> list[_RawTurn]:
    try:
        return _decode_turns(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        entries = value(raw)
    if not isinstance(entries, list):
        return []
    return [_RawTurn(entry.get("role"), _raw(entry.get("content"))) for entry in entries if isinstance(entry, dict)]


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
