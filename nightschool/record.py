"""The record: one exchange as it is stored (schema version 2), and its id.

A field that is ``None`` is not known; zero is zero. Times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import msgspec

SCHEMA_VERSION = 2
"""2 has ``failed_adapter``."""


class Record(msgspec.Struct, kw_only=True, frozen=True):
    """One row of the table ``exchanges``; the fields stand in the order of the columns."""

    id: str
    """UUIDv7, the same as in the response header ``x-nightschool-id``."""
    time_us: int
    """When the request arrived; the column is ``time``, timestamp[us, UTC]."""
    workload: str | None = None
    """Name of the workload; null when no rule and no header named one."""
    fingerprint: str | None = None
    """Hash of prompt template, tools and response schema."""
    conversation: str | None = None
    """The header ``x-nightschool-conversation``, or a hash of the first system and user message."""
    target: str = "teacher"
    adapter: str | None = None
    reason: str = "default"
    propensity: float = 1.0
    endpoint: str = ""
    """Path below the API base, without the query: ``/chat/completions``."""
    method: str = "POST"
    stream: bool = False
    complete: bool = True
    """False when the answer was cut: the client left, the upstream broke off, the proxy was killed."""
    model_requested: str | None = None
    model_served: str | None = None
    upstream: str | None = None
    status: int | None = None
    """HTTP status that the client saw; null when it left, or the proxy died, before there was one."""
    error_type: str | None = None
    request: str | None = None
    """JSON as the client sent it (after redaction); null where bodies are not recorded or are not text."""
    response: str | None = None
    """JSON as received, or as reassembled from a stream; plain text where it is not JSON."""
    logprobs: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    first_token_ms: float | None = None
    overhead_ms: float | None = None
    """Time that the proxy itself added: everything but waiting for upstream and client."""
    finish_reason: str | None = None
    system_fingerprint: str | None = None
    upstream_request_id: str | None = None
    tags: dict[str, str] = {}
    client: str | None = None
    """Keyed hash of the caller's credential."""
    failed_adapter: str | None = None
    """Of a student that was chosen, and for which its teacher answered; ``reason`` says why."""


class Feedback(msgspec.Struct, kw_only=True, frozen=True):
    """One row of the table ``feedback``: what somebody thought of one exchange."""

    exchange_id: str
    time_us: int
    score: float | None = None
    comment: str | None = None
    user: str | None = None


class Label(msgspec.Struct, kw_only=True, frozen=True):
    """One row of the table ``labels``: the answer that an exchange should have had; the newest one counts."""

    exchange_id: str
    time_us: int
    message: str
    """JSON of an assistant message."""
    author: str | None = None
    source: str | None = None
    """Where it comes from: ``human``, the name of a tool, of a model."""


class Verdict(msgspec.Struct, kw_only=True, frozen=True):
    """One row of the table ``verdicts``: which of two answers a judge preferred, in one of the two orders."""

    exchange_id: str
    """The exchange whose question was answered; a verdict goes when it is erased."""
    time_us: int
    key: str
    """Hash of all that the judge was asked: a question that was asked already need not be asked again."""
    workload: str | None = None
    model: str | None = None
    better: str | None = None
    """``first``, ``second``, or ``tie``; null where the judge's words cannot be read."""
    reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; ``cached_input`` of None means that cached tokens cost what input costs."""

    input: float
    output: float
    cached_input: float | None = None


def new_id(time_us: int | None = None, random_bytes: bytes | None = None) -> bytes:
    """The 16 bytes of a UUIDv7 (RFC 9562 section 5.7): sorts by millisecond, else random.

    Given both arguments it is a pure function of them; ``random_bytes`` needs 10 bytes.
    """
    milliseconds = (time.time_ns() // 1_000_000) if time_us is None else time_us // 1000
    noise = int.from_bytes(random_bytes or os.urandom(10), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return value.to_bytes(16, "big")


def id_text(raw: bytes) -> str:
    """``018f…`` in the five groups of a UUID."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
