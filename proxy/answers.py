"""Answers of our own, in OpenAI's shapes: the error object, and the event that ends a broken stream."""

from __future__ import annotations

import msgspec

from proxy.client import Client


def error_object(message: str, error_type: str, *, code: str | None = None, param: str | None = None) -> bytes:
    """All four keys, as OpenAI's clients expect."""
    return msgspec.json.encode({"error": {"message": message, "type": error_type, "param": param, "code": code}})


def error_event(message: str, error_type: str, *, code: str | None = None) -> bytes:
    """The only way to fail once the head of a stream is sent; clients raise on it."""
    return b"data: " + error_object(message, error_type, code=code) + b"\n\n"


def answer_json(client: Client, status: int, body: bytes, lines: bytes = b"") -> None:
    """A whole answer, with header ``lines`` besides the necessary ones."""
    client.start(status, [b"content-type: application/json\r\n", lines], b"content-length: %d\r\n" % len(body))
    client.finish(body)
