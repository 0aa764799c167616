"""Secrets that can be found again: each a word of its own, looked for in every form in which it could be written."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow.parquet as pq

WORDS = (
    *(
        "configured",
        "token",
        "webhook",
        "outgoing",
        "bearer",
        "azure",
        "other",
        "cookie",
        "proxyauth",
        "query",
        "basic",
    ),
    *("setcookie", "sdk", "anthropic"),
)
MARKS: Mapping[str, str] = {word: f"mark{number:02}zq{word}" for number, word in enumerate(WORDS)}
"""Credentials, by what they are for."""

PATTERN = r"sk-priv-[0-9a-f]{12}"
PRIVATE: Mapping[str, str] = {
    place: f"sk-priv-{number:012x}"
    for number, place in enumerate(
        ("plain", "escaped", "streamed", "arguments", "nested", "tag", "key", "metadata", "system", "answer", "error"),
        start=0xABC000,
    )
}
"""What `record.redact` is to take out, by where it stands."""

_ESCAPE = re.compile(rb"(?:\\)+u00([0-9a-fA-F]{2})")


def found_in(data: bytes) -> list[str]:
    """Which of them are in ``data``: as they are, with their letters escaped as in JSON, or in base64."""
    plain = data.replace(b"\0", b"") + _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), data)
    return [
        name
        for name, secret in (*MARKS.items(), *PRIVATE.items())
        if secret.encode() in plain or any(form in plain for form in _in_base64(secret.encode()))
    ]


def _in_base64(secret: bytes) -> Iterator[bytes]:
    """What is always the same of it, at each of the three places at which it can begin."""
    for ahead in range(3):
        encoded = base64.b64encode(b"\0" * ahead + secret)
        yield encoded[4 if ahead else 0 : -4]


def found_under(folder: Path) -> dict[str, list[str]]:
    """By file: which are in its bytes, in its name, or in the values of a table, which are compressed."""
    found: dict[str, list[str]] = {}
    for path in folder.rglob("*"):
        here = found_in(str(path.relative_to(folder)).encode())
        if path.is_file():
            here += found_in(path.read_bytes())
            if path.suffix == ".parquet":
                here += found_in(str(pq.read_table(path).to_pylist()).encode())
        if here:
            found[str(path.relative_to(folder))] = here
    return found
