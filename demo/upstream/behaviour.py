"""How the scripted upstream answers one request: well by default, and badly in every way that an upstream can.

A behaviour is chosen by a script (``ScriptedUpstream.then``), by its name in the request header ``x-scripted``, or by
the model that the request asks for. What happens before the request's body is read cannot be chosen by the model.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

TEXT = "The quick brown fox jumps over the lazy dog, naïvely, 日本語 too 🦊."
BEFORE_HEAD = -1


class Fault(enum.Enum):
    """What goes wrong; ``Behaviour.after`` says when."""

    NONE = enum.auto()
    HANG = enum.auto()
    """Nothing more is sent until ``ScriptedUpstream.release()``; then the answer goes on."""
    RESET = enum.auto()
    """The connection is reset."""
    CLOSE = enum.auto()
    """The connection is closed, without the last chunk or the promised length."""
    TRUNCATED_CHUNK = enum.auto()
    """A chunk promises more bytes than come before the connection is closed."""
    WRONG_CHUNK_SIZE = enum.auto()
    """A chunk's size line is no number."""
    INVALID_UTF8 = enum.auto()
    """One event holds bytes that are no UTF-8; the answer goes on."""
    ERROR_EVENT = enum.auto()
    """``data: {"error": …}`` and the regular end of the body, without ``[DONE]``."""
    GARBAGE_STATUS_LINE = enum.auto()
    """Something that is not HTTP, and a close."""
    STOP_READING = enum.auto()
    """The request's body is left in the socket until ``release()``."""
    DROP_REUSED = enum.auto()
    """A connection that has served before is closed without an answer, as a keep-alive race does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One answer, field by field; the defaults are a healthy upstream."""

    fault: Fault = Fault.NONE
    after: int = 3
    """Pieces of the body that are sent before the fault: 0 = after the head, BEFORE_HEAD = before it."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    """Sent behind the usual ones, as they stand here: twice the same name is sent twice."""
    body: bytes | None = None
    """Sent instead of what the endpoint would answer, under ``content_type``."""
    content_type: str = "application/json"
    events: tuple[bytes, ...] | None = None
    """Data of the events of a stream, instead of what the endpoint would stream; no ``[DONE]`` is added."""

    deltas: tuple[str, ...] = tuple(re.findall(r"\s*\S+", TEXT))
    """The answer's text as it is cut for a stream."""
    tool_calls: int = 1
    """How many calls are made where the request brings tools."""
    arguments: tuple[str, ...] = ('{"city": ', '"Zürich"', ", ", '"unit": "°C"}')
    """Each call's arguments as they are cut for a stream."""
    cached_tokens: int = 0
    ascii: bool = False
    r"""Write what is not ASCII as ``\uXXXX``."""
    spaced: bool = False
    """Write JSON with blanks behind commas and colons."""
    obfuscation: bool = False
    refuses: tuple[str, ...] = ()
    """Members of a request that are answered with 400, the first of them named."""
    done: bool = True
    """End a stream with ``[DONE]``."""
    download_bytes: int = 100_000
    """Size of a binary download."""

    head_delay_s: float = 0.0
    event_delay_s: float = 0.0
    """Before every event but the first."""
    head_byte_delay_s: float = 0.0
    """Between the bytes of the head: a slow loris."""

    interim: tuple[int, ...] = ()
    """Informational answers that come first, e.g. ``(103,)``."""
    framing: str = "auto"
    """``auto`` (chunks for a stream, else a length), ``chunked``, or ``close``: the body ends with the connection."""
    encoding: str = ""
    """``gzip`` or ``deflate``, for a client that accepts it."""
    cut: str = "event"
    """What is written at once: ``event``, ``byte``, or ``all``."""
    newline: str = "\n"
    comments: bool = False
    """A comment (``: ping``) before each event."""
    trailers: tuple[tuple[str, str], ...] = ()
    close: bool = False
    """Say ``connection: close`` and do it."""
    close_idle: bool = False
    """Close the connection right after the answer, without saying so."""
    early: bool = False
    """Answer as soon as the request's head is there, and close without reading its body."""


def named(model: str) -> Behaviour | None:
    """The behaviour of that name, or of ``status-NNN``; None for every other model."""
    if match := re.fullmatch(r"status-(\d{3})", model):
        return Behaviour(status=int(match[1]))
    return NAMED.get(model)


def too_many_requests(retry_after: str = "0.01") -> Behaviour:
    """A 429 with the headers that the official clients read."""
    headers = (
        ("retry-after", retry_after),
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1s"),
    )
    return Behaviour(status=429, headers=headers)


NAMED = {
    "hang-before-head": Behaviour(fault=Fault.HANG, after=BEFORE_HEAD),
    "hang-after-head": Behaviour(fault=Fault.HANG, after=0),
    "hang": Behaviour(fault=Fault.HANG),
    "reset-before-head": Behaviour(fault=Fault.RESET, after=BEFORE_HEAD),
    "reset-after-head": Behaviour(fault=Fault.RESET, after=0),
    "reset": Behaviour(fault=Fault.RESET),
    "close-before-head": Behaviour(fault=Fault.CLOSE, after=BEFORE_HEAD),
    "no-last-chunk": Behaviour(fault=Fault.CLOSE),
    "truncated-chunk": Behaviour(fault=Fault.TRUNCATED_CHUNK),
    "wrong-chunk-size": Behaviour(fault=Fault.WRONG_CHUNK_SIZE),
    "invalid-utf8": Behaviour(fault=Fault.INVALID_UTF8),
    "error-event": Behaviour(fault=Fault.ERROR_EVENT),
    "garbage": Behaviour(fault=Fault.GARBAGE_STATUS_LINE),
    "stop-reading": Behaviour(fault=Fault.STOP_READING),
    "too-large": Behaviour(status=413, early=True),
    "drop-reused": Behaviour(fault=Fault.DROP_REUSED),
    "refuses-both": Behaviour(refuses=("stream_options", "logprobs")),
    "rate-limited": too_many_requests(),
    "gzip": Behaviour(encoding="gzip"),
    "deflate": Behaviour(encoding="deflate"),
    "chunked": Behaviour(framing="chunked"),
    "until-close": Behaviour(framing="close"),
    "every-byte": Behaviour(cut="byte", framing="chunked"),
    "one-write": Behaviour(cut="all"),
    "crlf": Behaviour(newline="\r\n"),
    "comments": Behaviour(comments=True),
    "spaced": Behaviour(spaced=True),
    "ascii": Behaviour(ascii=True),
    "obfuscated": Behaviour(obfuscation=True),
    "no-done": Behaviour(done=False),
    "parallel": Behaviour(tool_calls=3),
    "large-events": Behaviour(deltas=("a", "b" * 1_500_000, "c")),
    "early-hints": Behaviour(interim=(103,)),
    "interim-spam": Behaviour(interim=(103,) * 500),
    "large-headers": Behaviour(headers=(("x-large", "x" * 30_000),)),
    "monstrous-headers": Behaviour(headers=(("x-monstrous", "x" * 2_000_000),)),
    "trailers": Behaviour(framing="chunked", trailers=(("x-checksum", "abc123"),)),
    "cookies": Behaviour(headers=(("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; HttpOnly"))),
    "slow-head": Behaviour(head_byte_delay_s=0.001),
    "slow": Behaviour(event_delay_s=0.05),
    "close": Behaviour(close=True),
    "close-idle": Behaviour(close_idle=True),
}
