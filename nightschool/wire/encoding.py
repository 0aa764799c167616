"""A body as it travelled -> the body that was meant, for each ``content-encoding``, with a limit on its size.

gzip and deflate are in the standard library; ``br`` and ``zstd`` are read where a library for them is installed.
A body that was cut gives what could be had of it.
"""

from __future__ import annotations

import importlib
import zlib
from types import ModuleType

MAX_OUTPUT_BYTES = 64 * 2**20
_ALWAYS_BYTES = 16 * 2**20
_MAX_RATIO = 50
"""What grows further is no text: gzip makes a thousandth of zeros, and parsed JSON takes forty times its length."""
_MAX_ENCODINGS = 4
_MAX_MEMBERS = 64
"""Each costs a copy of what follows it."""


class UndecodableBody(ValueError):
    """The body stays unread; ``error_type`` is what the record says about it."""

    def __init__(self, error_type: str) -> None:
        self.error_type = error_type
        super().__init__(error_type)


def decode_body(body: bytes, content_encoding: str, max_output_bytes: int = MAX_OUTPUT_BYTES) -> bytes:
    """Undo the encodings of a ``content-encoding`` header, last first; the same object if there are none.

    Raises ``UndecodableBody``: ``undecodable_encoding_br`` (unknown, or no library), ``corrupt_encoding_gzip``, or
    ``decoded_body_too_large``.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > _MAX_ENCODINGS:
        raise UndecodableBody("undecodable_encoding")
    limit = min(max_output_bytes, max(_ALWAYS_BYTES, _MAX_RATIO * len(body)))
    for name in reversed(names):
        body = _decode(body, name, limit)
    return body


def _decode(body: bytes, name: str, limit: int) -> bytes:
    try:
        if name in ("gzip", "x-gzip"):
            return _gunzip(body, limit)
        if name == "deflate":
            return _inflate(body, limit)
        if name == "zstd":
            return _unzstd(body, limit)
        if name == "br":
            return _unbrotli(body, limit)
    except zlib.error:
        raise UndecodableBody(f"corrupt_encoding_{name}") from None
    raise UndecodableBody(f"undecodable_encoding_{name[:20]}")


def _gunzip(body: bytes, limit: int) -> bytes:
    """All members of a gzip file; what is behind them and is no member (padding, mostly) is ignored, as gzip does."""
    output = b""
    for _ in range(_MAX_MEMBERS):
        decoder = zlib.decompressobj(wbits=31)
        output = _bounded(output + decoder.decompress(body, limit + 1 - len(output)), limit)
        body = decoder.unused_data
        if not body.startswith(b"\x1f\x8b"):
            return output
    raise UndecodableBody("corrupt_encoding_gzip")


def _inflate(body: bytes, limit: int) -> bytes:
    """RFC 9110 asks for zlib's framing; servers that send none are as old as the header."""
    try:
        return _bounded(zlib.decompressobj().decompress(body, limit + 1), limit)
    except zlib.error:
        decoder = zlib.decompressobj(wbits=-15)
        output = _bounded(decoder.decompress(body, limit + 1), limit)
    if not decoder.eof:
        raise UndecodableBody("corrupt_encoding_deflate")  # nearly any bytes are the beginning of raw deflate
    return output


def _unzstd(body: bytes, limit: int) -> bytes:
    zstandard = _library("zstandard", "zstd")
    try:
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            output: bytes = reader.read(limit + 1)
    except zstandard.ZstdError:
        raise UndecodableBody("corrupt_encoding_zstd") from None
    return _bounded(output, limit)


def _unbrotli(body: bytes, limit: int) -> bytes:
    brotli = _library("brotli", "br")
    decoder = brotli.Decompressor()
    if not hasattr(decoder, "can_accept_more_data"):
        raise UndecodableBody("undecodable_encoding_br")  # before 1.2 it cannot be bounded
    output = b""
    try:
        piece: bytes = decoder.process(body, output_buffer_limit=limit + 1)
        while piece:
            output = _bounded(output + piece, limit)
            piece = decoder.process(b"", output_buffer_limit=limit + 1 - len(output))
    except brotli.error:
        raise UndecodableBody("corrupt_encoding_br") from None
    return output


def _bounded(output: bytes, limit: int) -> bytes:
    if len(output) > limit:
        raise UndecodableBody("decoded_body_too_large")
    return output


def _library(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UndecodableBody(f"undecodable_encoding_{name}") from None
