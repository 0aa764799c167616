"""Ids of a student's tool calls: they say which adapter made the call, so that its result goes to the same one.

    call_ns_<12 hex of the adapter>_<16 hex>

Whatever id the replica gave is only hashed: OpenAI refuses a ``tool_call_id`` of more than 40 characters, and a teacher
may have to go on with the conversation.
"""

from __future__ import annotations

import hashlib
import re

_OURS = re.compile(r"call_ns_([0-9a-f]{12})_[0-9a-f]+")


def call_id(adapter: str, answer: str, position: int) -> str:
    """Of the call at ``position`` in the answer of that id."""
    rest = hashlib.blake2b(f"{answer}/{position}".encode(), digest_size=8).hexdigest()
    return f"call_ns_{digits_of(adapter)}_{rest}"


def digits_of(adapter: str) -> str:
    """The 12 hex digits at the end of an adapter's name."""
    return adapter.rpartition("--")[2]


def digits_in(call: str) -> str | None:
    """The digits of the adapter that made a call; None for a call of anybody else."""
    found = _OURS.fullmatch(call)
    return None if found is None else found[1]
