"""Log probabilities as an upstream gives them and the recorder files them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any


def entry(data: bytes, logprob: float, *, top: Iterable[tuple[bytes, float]] = ()) -> dict[str, Any]:
    """One token; alternatives are given as bytes with their log probability."""
    told = {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}
    return {**told, "top_logprobs": [entry(other, likely) for other, likely in top]}


def recorded(text: str, *, tokens: Sequence[bytes] | None = None, sure: float = -0.1) -> str:
    """The column ``logprobs`` of an answer, by default with tokens that are words; each has two alternatives."""
    pieces = [piece.encode() for piece in re.findall(r"\s?\w+|.", text, re.DOTALL)] if tokens is None else tokens
    content = [entry(piece, sure, top=[(piece, sure), (b"x", -3.0), (b" never said", -4.0)]) for piece in pieces]
    return json.dumps([{"content": content, "refusal": None}])
