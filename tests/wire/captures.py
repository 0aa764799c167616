"""The streams in ``tests/data/streams``: bytes as providers send them, one oddity each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nightschool.wire.reassemble import Reassembled, Reassembler, reassemble

FOLDER = Path(__file__).parent.parent / "data" / "streams"
NAMES = sorted(path.stem for path in FOLDER.glob("*.sse"))


def capture(name: str) -> bytes:
    return (FOLDER / f"{name}.sse").read_bytes()


def endpoint(name: str) -> str:
    return {"responses": "/responses", "completions": "/completions"}.get(name.partition("_")[0], "/chat/completions")


def reassembled(name: str) -> Reassembled:
    return reassemble(endpoint(name), capture(name))


def message(name: str) -> dict[str, Any]:
    """What the capture says as one document."""
    document = reassembled(name).message
    assert document is not None
    return document


def choice(name: str) -> Any:
    (only,) = message(name)["choices"]
    return only


def fed_in_pieces(name: str, cuts: list[int]) -> Reassembled:
    body = capture(name)
    reassembler = Reassembler(endpoint(name))
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        reassembler.feed(body[start:end])
    return reassembler.finish()
