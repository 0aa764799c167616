"""Whom a conversation falls to: its place on a line from 0 to 100, and the pieces into which the shares cut the line.

    0 ──── canary ────┬──── live ────┬──── teacher (ramp) ────┬── teacher's own sample ── 100

The place never changes. The teacher's sample is cut from the far end, so it is the same conversations at every share;
a share that grows only moves its end, so it takes conversations and gives none back.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, NamedTuple

Side = Literal["canary", "live", "ramp", "teacher_sample"]

_SPAN = 2.0**64


class Draw(NamedTuple):
    side: Side
    propensity: float
    """Probability that a conversation falls to whoever answers here; to the teacher by ramp and sample together."""


def place_of(workload: str, conversation: str) -> float:
    """Where the conversation lies, from 0 to 100 (exclusive)."""
    text = f"{workload}\0{conversation}".encode("utf-8", "surrogatepass")
    # 53 bits: a larger number could round up to the end of the line.
    return (int.from_bytes(blake2b(text, digest_size=8).digest()) >> 11 << 11) / _SPAN * 100


def draw(place: float, *, canary: float, live: float, teacher: float) -> Draw:
    """Shares in per cent, 0 of one that is not there; ``live`` is the end of its piece, 100 for all that is left."""
    last = 100 - teacher
    canary_end = min(canary, last)
    live_end = max(canary_end, min(live, last))
    if place >= last:
        return Draw("teacher_sample", (100 - live_end) / 100)
    if place < canary_end:
        return Draw("canary", canary_end / 100)
    if place < live_end:
        return Draw("live", (live_end - canary_end) / 100)
    return Draw("ramp", (100 - live_end) / 100)
