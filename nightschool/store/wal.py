"""Frames of the write-ahead log: what a proxy worker appends and what recorder and readers read back.

    file  := frame*            the first frame is a HEADER
    frame := u32 length | u32 crc32 | u8 kind | u32 meta length | meta (msgpack) | body (raw bytes)

``length`` counts everything behind the crc, which is taken over the same bytes; integers are little-endian. A reader
stops at the first frame that is cut or whose crc is wrong: what a killed process leaves behind is a torn tail, never
a torn middle.

An exchange is one REQUEST, any number of PARTs and one END with the same id, all in one file and in that order. A
REQUEST without END in a finished log was cut by the death of the proxy. Every byte in a log has been redacted;
credentials never get here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from nightschool.record import SCHEMA_VERSION, Price

HEADER, REQUEST, PART, END, FEEDBACK = 1, 2, 3, 4, 5
FINISHED = 6
"""Last frame of a log that its worker closed; a log without it is finished once nobody holds its lock."""

_CHECKED = struct.Struct("<BI")
_LENGTHS = struct.Struct("<II")
MAX_FRAME_BYTES = 1 << 30


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What every exchange of this log has in common."""

    schema_version: int = SCHEMA_VERSION
    worker: str = ""
    prices: dict[str, Price] = {}
    """In force when the log was opened; a reload of the configuration opens a new log."""
    student_price: Price | None = None
    """Of every adapter."""


class Request(msgspec.Struct, kw_only=True, array_like=True):
    """Meta of a REQUEST frame; its body is the request's body as the client sent it, or empty."""

    id: bytes
    time_us: int
    method: str = "POST"
    endpoint: str = ""
    content_type: str = ""
    content_encoding: str = ""
    model: str | None = None
    """Of an Azure deployment's path, where it stands for the model."""
    workload: str | None = None
    conversation: str | None = None
    target: str = "teacher"
    adapter: str | None = None
    reason: str = "default"
    propensity: float = 1.0
    upstream: str | None = None
    tags: dict[str, str] = {}
    """From the request header; tags from the body's ``metadata`` are added when the frame is read."""
    client: str | None = None
    error_type: str | None = None
    """Why the body is not here in full, e.g. ``request_too_large``."""
    fingerprint: str | None = None
    """Only where ``bodies`` is false: the body that it is made of is not here."""
    bodies: bool = True
    """False: the bodies hold what the columns need and no text; the record's ``request`` and ``response`` are null."""


class Part(msgspec.Struct):
    """Meta of a PART frame; its body continues the response."""

    id: bytes


class End(msgspec.Struct, kw_only=True, array_like=True):
    """Meta of an END frame; its body is the rest of the response's body, as it came from upstream.

    New fields are added at the end, with a default: a log of an older version lacks them.
    """

    id: bytes
    status: int | None = None
    complete: bool = True
    error_type: str | None = None
    content_type: str = ""
    content_encoding: str = ""
    form: Literal["raw", "assembled"] = "raw"
    """``assembled``: redaction made the worker put the stream together itself; the body is JSON."""
    upstream: str | None = None
    """Who answered, where that is not who was asked first."""
    reason: str | None = None
    upstream_request_id: str | None = None
    latency_us: int = 0
    first_token_us: int | None = None
    overhead_us: int = 0
    target: str | None = None
    """Whose answer it is, where that is not who was chosen first: who the REQUEST names, and who has failed.

    Then ``adapter`` and ``propensity`` count too.
    """
    adapter: str | None = None
    propensity: float = 1.0
    body_bytes: int | None = None
    """Of this body and those of the PARTs before it, so that a lost PART shows. None: not counted."""


class Frame(NamedTuple):
    kind: int
    meta: bytes
    body: bytes
    end_offset: int
    """Where the next frame begins."""


_encoder = msgspec.msgpack.Encoder()
decode_header = msgspec.msgpack.Decoder(Header).decode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_part = msgspec.msgpack.Decoder(Part).decode
decode_end = msgspec.msgpack.Decoder(End).decode


def encode(kind: int, meta: msgspec.Struct | None, body: Sequence[bytes] = ()) -> list[bytes]:
    """The frame as buffers for one ``writev``; ``body`` is not copied."""
    packed = _encoder.encode(meta) if meta is not None else b""
    head = _CHECKED.pack(kind, len(packed)) + packed
    crc = zlib.crc32(head)
    length = len(head)
    for chunk in body:
        crc = zlib.crc32(chunk, crc)
        length += len(chunk)
    return [_LENGTHS.pack(length, crc) + head, *body]


def read_frames(path: Path, offset: int = 0) -> Iterator[Frame]:
    """Frames from ``offset`` on, up to the end of the file or the first frame that is not whole.

    Compare the last frame's ``end_offset`` with the file's size to learn whether a tail was left unread.
    """
    with path.open("rb") as file:
        file.seek(offset)
        while len(prefix := file.read(8)) == 8:
            length, crc = _LENGTHS.unpack(prefix)
            if not _CHECKED.size <= length <= MAX_FRAME_BYTES:
                return
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != crc:
                return
            offset += 8 + length
            kind, meta_length = _CHECKED.unpack_from(payload)
            split = _CHECKED.size + meta_length
            yield Frame(kind, payload[_CHECKED.size : split], payload[split:], offset)
