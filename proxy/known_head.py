"""The head of a request whose meaning is known, by which the same head is recognised without being parsed again.

The requests of one client differ in their bodies, so in the digits of ``Content-Length``, and mostly in nothing else of
the head. What the parser has accepted once means the same when it comes again byte for byte but for those digits.
"""

from __future__ import annotations

import re

from proxy.request_head import RequestHead

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)\r\n", re.IGNORECASE)
_MOST_DIGITS = 12


class KnownHead:
    """``raw`` with what was read of it; ``raw`` ends with the empty line."""

    __slots__ = ("_after", "_before", "head", "method", "query", "raw_path")

    def __init__(
        self, before: bytes, after: bytes, *, method: bytes, raw_path: bytes, query: bytes, head: RequestHead
    ) -> None:
        self._before = before
        """Up to the digits of the length."""
        self._after = after
        """What follows them."""
        self.method = method
        self.raw_path = raw_path
        self.query = query
        self.head = head

    def body_of(self, data: bytes) -> bytes | None:
        """The body if ``data`` is one whole request with this head, else None."""
        before, after = self._before, self._after
        if not data.startswith(before):
            return None
        digits_at = len(before)
        after_at = data.find(b"\r", digits_at, digits_at + _MOST_DIGITS)
        digits = data[digits_at:after_at]
        if not digits.isdigit() or not data.startswith(after, after_at):
            return None
        body_at = after_at + len(after)
        return data[body_at:] if len(data) - body_at == int(digits) else None


def divided(raw: bytes) -> tuple[bytes, bytes] | None:
    """A request's head before and behind the digits of its length; None where it has none, or not in the usual form.

    ``raw`` begins with the head, which the parser has accepted: there is one length at the most.
    """
    end = raw.find(b"\r\n\r\n")
    found = _LENGTH.search(raw, 0, end + 2)
    return None if found is None else (raw[: found.start(1)], raw[found.end(1) : end + 4])
