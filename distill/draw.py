"""A stable share of the exchanges: told by their ids, so that nobody has to remember who was drawn."""

from __future__ import annotations

import hashlib


def is_drawn(purpose: str, exchange: str, share: float) -> bool:
    """Whether an exchange is among so many per cent: always the same ones, and with a greater share more of them."""
    place = int.from_bytes(hashlib.sha256(f"{purpose}\n{exchange}".encode()).digest()[:8], "big") / 2**64
    return place * 100 < share
