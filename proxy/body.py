"""The request's body as it comes from the client.

Held when it is JSON of a bearable size, else passed on piece by piece.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from proxy.client import Client


@dataclass(slots=True)
class RequestBody:
    data: bytes
    """All of it, or the part that has arrived."""
    more: bool
    """More is to come, and has to be read from the client."""
    length: int | None
    """What ``Content-Length`` says; None for a chunked body."""
    too_large: bool = False
    """It is JSON, but larger than what is held: it streams through unread."""
    ahead: deque[bytes] = field(default_factory=deque)
    """What was read after ``data`` before it proved too large; joining it would hold it twice."""


async def read_body(client: Client, held_bytes: int) -> RequestBody:
    """Read the body to its end if it is JSON and at most ``held_bytes`` long, else only its first piece."""
    length = client.length
    data, more = await client.read()
    if not more:
        return RequestBody(data, False, len(data))
    if not client.head.is_json:
        return RequestBody(data, True, length)
    if length is not None and length > held_bytes:
        return RequestBody(data, True, length, too_large=True)
    chunks, size = [data], len(data)
    while more and size <= held_bytes:
        data, more = await client.read()
        chunks.append(data)
        size += len(data)
    if more:
        return RequestBody(chunks[0], True, length, too_large=True, ahead=deque(chunks[1:]))
    return RequestBody(b"".join(chunks), False, size)
