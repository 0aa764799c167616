"""One chunk of a body: written, and recognised without the parser where it comes alone, as most events do."""

from __future__ import annotations

_MOST_DIGITS = 7


def chunk(data: bytes) -> bytes:
    """``data`` in chunked framing (RFC 9112 section 7.1); empty data would end the body, so it becomes nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def whole_chunk(data: bytes) -> bytes | None:
    """What is in the chunk, if ``data`` is one chunk and nothing else, else None.

    A chunk is recognised where its length is written in the usual way, and has content; the last of a body has none.
    """
    digits = data.find(b"\r\n", 1, _MOST_DIGITS + 2)
    content = data[digits + 2 : -2]
    if digits > 0 and content and data.endswith(b"\r\n") and data[:digits].lower() == b"%x" % len(content):
        return content
    return None
