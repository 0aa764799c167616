"""Headers both ways: what concerns one connection only stays behind, everything else passes as it came.

So do the keys of clients of this proxy, or of any other: no upstream ever sees one.

RFC 9110 section 7.6.1 says which those are. Names are in lower case, as HTTP allows.
"""

from __future__ import annotations

from typing import NamedTuple

from nightschool.client_key import holds_key
from proxy.connection import Headers
from proxy.control import PREFIX

CREDENTIALS = (b"authorization", b"api-key", b"x-api-key")
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
_NEVER_FORWARDED = _HOP_BY_HOP | {b"host", b"content-length", b"expect", b"proxy-authorization", b"proxy-authenticate"}
_ORDINARY_CONNECTION = (b"keep-alive", b"close")
_REQUEST_IDS = (b"x-request-id", b"apim-request-id")


class Replacement:
    """Headers of our own that take the place of the client's; one that is a credential takes the place of every one."""

    __slots__ = ("dropped", "lines")

    def __init__(self, headers: Headers) -> None:
        names = {name for name, _ in headers}
        self.dropped = _NEVER_FORWARDED | names | (set(CREDENTIALS) if names & set(CREDENTIALS) else set())
        self.lines = b"".join(b"%b: %b\r\n" % header for header in headers)


def forwarded_lines(headers: Headers, replacement: Replacement) -> bytes:
    """The header lines of a request for the upstream, but for host and length."""
    dropped = replacement.dropped | _named_by_connection(headers)
    kept = [header for header in headers if header[0] not in dropped and not header[0].startswith(PREFIX)]
    lines = b"".join(b"%b: %b\r\n" % header for header in kept)
    if holds_key(lines):
        lines = b"".join(b"%b: %b\r\n" % header for header in kept if not holds_key(header[1]))
    return lines + replacement.lines


def framing(method: bytes, body_bytes: int | None) -> bytes:
    """The header lines that say where the request's body ends, and the empty line.

    ``body_bytes`` of None means a body of unknown length, which goes out in chunks; with 0, a GET has no length at all.
    """
    if body_bytes is None:
        return b"transfer-encoding: chunked\r\n\r\n"
    if body_bytes or method in (b"POST", b"PUT", b"PATCH"):
        return b"content-length: %d\r\n\r\n" % body_bytes
    return b"\r\n"


class AnswerHead(NamedTuple):
    """The headers of an answer, for the client and for the record."""

    lines: list[bytes]
    """For the client: each a line with its end."""
    content_length: bytes | None
    """The line with the body's length, if the upstream said it; not among ``lines``."""
    content_type: bytes
    content_encoding: bytes
    """Empty where the body is as it is."""
    request_id: bytes | None
    """The upstream's own."""


def read_answer_head(headers: Headers) -> AnswerHead:
    """Sort the upstream's headers; of nightschool only we speak, so what it says of that is dropped."""
    lines: list[bytes] = []
    content_length = request_id = None
    content_type = content_encoding = b""
    for name, value in headers:
        if name in _HOP_BY_HOP or name.startswith(PREFIX):
            if name == b"connection" and value.lower() not in _ORDINARY_CONNECTION:
                named = _named_by_connection(headers)
                return read_answer_head([h for h in headers if h[0] != b"connection" and h[0] not in named])
            continue
        line = b"%b: %b\r\n" % (name, value)
        if name == b"content-length":
            content_length = line
            continue
        lines.append(line)
        if name == b"content-type":
            content_type = value.lower()
        elif name == b"content-encoding":
            content_encoding = b"" if value.lower() == b"identity" else value.lower()
        elif name in _REQUEST_IDS:
            request_id = value
    return AnswerHead(lines, content_length, content_type, content_encoding, request_id)


def is_json(content_type: bytes) -> bool:
    """Also true for a request that does not say what it is."""
    return not content_type or b"json" in content_type


def is_text(content_type: bytes) -> bool:
    """An answer that can be recorded; audio, images and files are recorded as metadata."""
    return is_json(content_type) or content_type.startswith(b"text/")


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that ``Connection`` names are hop-by-hop too."""
    given = (value for name, value in headers if name == b"connection")
    tokens = (token.strip().lower() for value in given for token in value.split(b","))
    return frozenset(tokens).difference(_ORDINARY_CONNECTION)
