"""What the scripted upstream remembers of a request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

KEPT_BODY_BYTES = 1 << 20


@dataclass(slots=True, eq=False)
class Seen:
    """One request as it came in, and what became of its answer. Times are of ``time.monotonic()``."""

    connection: int
    """Which connection brought it; they are counted from 1."""
    method: str = ""
    target: str = ""
    """Path and query exactly as they stood in the request line."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """In the order and the spelling of the wire."""
    body: bytes = b""
    """The first MiB."""
    body_bytes: int = 0
    body_complete: bool = False
    arrived: float = 0.0
    sent_bytes: int = 0
    """Bytes of the answer handed to the socket so far."""
    answered: float | None = None
    """When the last byte of the answer was written, or the scripted fault had happened."""
    cancelled: float | None = None
    """When the client left before that."""
    digest: Any = field(default_factory=hashlib.sha256)

    def receive(self, data: bytes) -> None:
        """Take in a part of the body."""
        self.body_bytes += len(data)
        self.digest.update(data)
        if (room := KEPT_BODY_BYTES - len(self.body)) > 0:
            self.body += data[:room]

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def open(self) -> bool:
        """Whether the answer is still on its way."""
        return self.answered is None and self.cancelled is None

    @property
    def body_sha256(self) -> str:
        """Of the whole body, however long it was."""
        return str(self.digest.hexdigest())

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    def all(self, name: str) -> list[str]:
        """Every value of a header, by its name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in lower case."""
        return next(iter(self.all(name)), None)
