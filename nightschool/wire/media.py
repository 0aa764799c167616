"""What a ``content-type`` says about a body."""

from __future__ import annotations

_BINARY = ("audio/", "font/", "image/", "multipart/", "video/", "application/octet-stream", "application/zip")
_TEXT = ("text/", "application/x-www-form-urlencoded", "application/xml", "application/yaml")


def is_json(content_type: str) -> bool:
    """Whether a body of this type is meant to be JSON; one without a type is, since that is what the API speaks."""
    kind = _kind(content_type)
    return kind in ("", "application/json") or kind.endswith("+json")


def as_text(body: bytes, content_type: str) -> str | None:
    """A body as text, invalid UTF-8 replaced by U+FFFD; None if it is empty or binary."""
    kind = _kind(content_type)
    if not body or kind.startswith(_BINARY):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        meant_as_text = kind.startswith(_TEXT) or (kind != "" and is_json(kind))
        return body.decode("utf-8", "replace") if meant_as_text else None


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
