"""Log probabilities of a recorded answer -> what a student can learn of them, short.

    exchanges.logprobs ── compact ──> [["Hi",-0.01,[["Hey",-4.6],…]],…] ── read ──> tokens as bytes

As recorded they take some two kilobytes a token; as kept here, a few hundred bytes. Only the text of the first choice
has any: upstreams give none for tool calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from nightschool.wire import json_text

_DIGITS = 4
_Written = str | list[int]
_Line = tuple[_Written, float, list[tuple[_Written, float]]]
_decode = msgspec.json.Decoder(list[_Line]).decode


class Likely(NamedTuple):
    """A piece of text that the teacher could have said, and the logarithm of its probability."""

    data: bytes
    logprob: float


class TeacherToken(NamedTuple):
    """A token that the teacher has said, and what it could have said instead, often with the token itself."""

    said: Likely
    alternatives: tuple[Likely, ...]


def compact(recorded: str) -> str | None:
    """Of the column ``logprobs`` the text of the first choice; None where that has none."""
    try:
        entries = json_text.decode(recorded.encode("utf-8", "replace"))[0]["content"]
        lines = [_line(entry) for entry in entries]
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    return msgspec.json.encode(lines).decode() if lines else None


def read(kept: str) -> list[TeacherToken]:
    """The inverse of ``compact``."""
    return [
        TeacherToken(
            Likely(_bytes(said), logprob), tuple(Likely(_bytes(text), likely) for text, likely in alternatives)
        )
        for said, logprob, alternatives in _decode(kept)
    ]


def _line(entry: Mapping[str, Any]) -> _Line:
    said, logprob = _likely(entry)
    return said, logprob, list(_alternatives(entry.get("top_logprobs") or ()))


def _alternatives(entries: Any) -> Iterator[tuple[_Written, float]]:
    for entry in entries:
        yield _likely(entry)


def _likely(entry: Mapping[str, Any]) -> tuple[_Written, float]:
    logprob = float(entry["logprob"])
    if math.isnan(logprob):
        raise ValueError("no number")
    data = entry.get("bytes")
    if data is None:
        return str(entry["token"]).encode("utf-8", "replace").decode(), round(max(-9_999.0, logprob), _DIGITS)
    return _written(bytes(data)), round(max(-9_999.0, logprob), _DIGITS)


def _written(data: bytes) -> _Written:
    """Text where it is text; a token may also be a part of a character."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)


def _bytes(written: _Written) -> bytes:
    return written.encode() if isinstance(written, str) else bytes(written)
