"""Bodies as they travelled -> bodies as they were meant."""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from collections.abc import Callable

import pytest

from nightschool.wire.encoding import UndecodableBody, decode_body

BODY = b'{"choices": []}' * 100


def zipped(body: bytes) -> bytes:
    """Without the time of day, which would give its test another name in every process."""
    return gzip.compress(body, mtime=0)


def raw_deflate(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


def refused(body: bytes, encoding: str, limit: int = 10_000) -> str:
    with pytest.raises(UndecodableBody) as error:
        decode_body(body, encoding, limit)
    return error.value.error_type


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (zipped(BODY), "gzip"),
        (zipped(BODY), " X-GZIP "),
        (zlib.compress(BODY), "deflate"),
        (raw_deflate(BODY), "deflate"),
        (zipped(zlib.compress(BODY)), "deflate, gzip"),
        (zipped(BODY[:50]) + zipped(BODY[50:]), "gzip"),
        (zipped(BODY) + b"\0\0\0", "gzip"),
        (zipped(BODY), "identity, gzip"),
    ],
)
def test_a_compressed_body_is_what_was_meant(body: bytes, encoding: str) -> None:
    assert decode_body(body, encoding) == BODY


@pytest.mark.parametrize("encoding", ["", "identity", " , "])
def test_a_body_that_is_not_encoded_is_the_same_object(encoding: str) -> None:
    assert decode_body(BODY, encoding) is BODY


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_was_cut_gives_what_could_be_had(encoding: str) -> None:
    text = b"".join(b"event %d\n" % number for number in range(500))
    whole = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    found = decode_body(whole[: len(whole) // 2], encoding)

    assert found
    assert text.startswith(found)


@pytest.mark.parametrize(
    ("bomb", "encoding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate"), (raw_deflate, "deflate")]
)
def test_a_body_that_would_grow_beyond_the_limit_is_refused(bomb: Callable[[bytes], bytes], encoding: str) -> None:
    assert refused(bomb(b"\0" * 10_001), encoding) == "decoded_body_too_large"
    assert len(decode_body(bomb(b"\0" * 10_000), encoding, 10_000)) == 10_000


def test_the_limit_counts_all_members_of_a_file() -> None:
    assert refused(gzip.compress(b"\0" * 6_000) * 2, "gzip") == "decoded_body_too_large"


@pytest.mark.parametrize(
    ("body", "encoding", "error_type"),
    [
        (b"no gzip", "gzip", "corrupt_encoding_gzip"),
        (b"no deflate", "deflate", "corrupt_encoding_deflate"),
        (zipped(b"") * 100, "gzip", "corrupt_encoding_gzip"),
        (BODY, "compress", "undecodable_encoding_compress"),
        (BODY, "x" * 1000, "undecodable_encoding_" + "x" * 20),
        (BODY, "gzip," * 5, "undecodable_encoding"),
    ],
)
def test_what_cannot_be_decoded_is_named(body: bytes, encoding: str, error_type: str) -> None:
    assert refused(body, encoding) == error_type


@pytest.mark.parametrize(("encoding", "library"), [("br", "brotli"), ("zstd", "zstandard")])
def test_an_encoding_without_its_library_is_named(encoding: str, library: str) -> None:
    if importlib.util.find_spec(library) is not None:
        pytest.skip(f"{library} is installed")
    assert refused(BODY, encoding) == f"undecodable_encoding_{encoding}"


def test_zstd_is_decoded_and_bounded_where_its_library_is() -> None:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")

    assert decode_body(zstandard.compress(BODY), "zstd") == BODY
    assert refused(zstandard.compress(b"\0" * 10_001), "zstd") == "decoded_body_too_large"
    assert refused(b"no zstd", "zstd") == "corrupt_encoding_zstd"


def test_brotli_is_decoded_and_bounded_where_its_library_is() -> None:
    brotli = pytest.importorskip("brotli", reason="brotli is not installed")

    assert decode_body(brotli.compress(BODY), "br") == BODY
    assert refused(brotli.compress(b"\0" * 10_001), "br") == "decoded_body_too_large"
    assert refused(b"no brotli, nor anything like it", "br") == "corrupt_encoding_br"
