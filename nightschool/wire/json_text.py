"""JSON as it is met in the wild: text in, values out, and back; neither way depends on the sender's good will.

msgspec reads what the standard asks for. What it refuses and applications nevertheless send (half a surrogate pair in
an escape, ``NaN``, bytes that are not UTF-8) goes to the standard library, which is slower and takes more.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

_strict = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 200
_FENCE = "```"


def decode(text: bytes | msgspec.Raw) -> Any:
    """The value of a JSON text; ``ValueError`` if it is none, or is nested too deeply.

    A string may hold half a surrogate pair, since its other half may come in the next event: ``mend`` it before use.
    """
    try:
        return _strict.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_leniently(bytes(text).decode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def encode(value: Any) -> bytes:
    """Compact JSON, always valid UTF-8; what lies more than 200 levels deep may become null."""
    try:
        return _encode(value)
    except (UnicodeEncodeError, RecursionError):
        return _encode(_mended(value, _MAX_DEPTH))


def canonical(value: Any) -> bytes:
    """Compact JSON with sorted keys: equal values give equal bytes."""
    try:
        return _encode_sorted(value)
    except (UnicodeEncodeError, RecursionError):
        return _encode_sorted(_mended(value, _MAX_DEPTH))


def is_valid(text: bytes) -> bool:
    """Whether ``decode`` gives a value."""
    try:
        decode(text)
    except ValueError:
        return False
    return True


def unfenced(text: str) -> str:
    """What a Markdown code fence holds, if one for JSON is around all of the text; else the text."""
    said = text.strip()
    if len(said) < 2 * len(_FENCE) or not (said.startswith(_FENCE) and said.endswith(_FENCE)):
        return text
    inside = said[len(_FENCE) : -len(_FENCE)]
    return inside[4:] if inside[:4].lower() == "json" else inside


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are valid UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def mend(text: str) -> str:
    """Join surrogate pairs that came as two halves; a half that stays alone becomes U+FFFD."""
    if text.isascii() or _HALF_PAIR.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _decode_leniently(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def _mended(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, list):
        return [_mended(entry, depth - 1) for entry in value] if depth else None
    if isinstance(value, dict):
        return {mend(key): _mended(entry, depth - 1) for key, entry in value.items()} if depth else None
    return value
