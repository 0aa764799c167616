"""The headers of a request, read once in one pass.

A client sends the same headers with every request of a kept-alive connection but for the length of the body, which is
therefore not among them: what was read of them is kept with the connection and read again only when they change.
"""

from __future__ import annotations

from proxy.clients.known_client import KnownClient
from proxy.connection import Headers
from proxy.control import NOTHING_SAID, BadControlHeader, read_control
from proxy.headers import CREDENTIALS, Replacement, forwarded_lines, is_json


class RequestHead:
    """What a request's headers say; ``headers`` are those of the client, names in lower case, without a length."""

    __slots__ = (
        "_lines",
        "by_name",
        "client",
        "content_encoding",
        "content_type",
        "control",
        "control_fault",
        "credential",
        "expects_100",
        "headers",
        "is_json",
        "known_by",
    )

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.by_name = dict(headers)
        """Of a repeated header the last value."""
        content_type = self.by_name.get(b"content-type", b"").lower()
        self.content_type = content_type.decode("latin-1")
        self.is_json = is_json(content_type)
        self.content_encoding = self.by_name.get(b"content-encoding", b"").decode("latin-1")
        self.expects_100 = self.by_name.get(b"expect", b"").lower() == b"100-continue"
        self.credential = next((self.by_name[name] for name in CREDENTIALS if name in self.by_name), None)
        """What the caller authenticates with; only ever hashed."""
        self.known_by: object = None
        """Who has looked for the client; None where everybody may ask."""
        self.client: KnownClient | None = None
        """As ``known_by`` knows it."""
        self.control = NOTHING_SAID
        self.control_fault: BadControlHeader | None = None
        try:
            self.control = read_control(headers)
        except BadControlHeader as fault:
            self.control_fault = fault.with_traceback(None)  # else a frame that it holds would hold it
        self._lines: dict[Replacement, bytes] = {}

    def lines(self, replacement: Replacement) -> bytes:
        """The header lines for an upstream whose own headers are ``replacement``."""
        found = self._lines.get(replacement)
        if found is None:
            if len(self._lines) >= 8:
                self._lines.clear()  # upstreams come and go with reloads of the configuration
            found = self._lines[replacement] = forwarded_lines(self.headers, replacement)
        return found
