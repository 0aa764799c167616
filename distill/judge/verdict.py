"""What a judge replied -> a verdict; the verdicts of both orders -> a preference.

A judge is asked for JSON and may still wrap it in prose, in a code block, or in its thoughts: the last object that
holds a verdict counts. What cannot be read is no verdict, and no tie.
"""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

from nightschool.wire import json_text

Better = Literal["first", "second", "tie"]
Outcome = Literal["win", "tie", "loss"]
SCORES: dict[Outcome, float] = {"win": 1.0, "tie": 0.5, "loss": 0.0}
"""Of the answer that is judged against another; the other one has 1 minus it."""
_WORDS: dict[str, Better] = {
    **dict.fromkeys(("first", "1", "a", "answer a", "first answer", "answer 1"), "first"),
    **dict.fromkeys(("second", "2", "b", "answer b", "second answer", "answer 2"), "second"),
    **dict.fromkeys(("tie", "equal", "both", "neither", "draw", "same", "none"), "tie"),
}
_OBJECT = re.compile(r"\{[^{}]*\}", re.DOTALL)
_LONGEST_REASON = 1_000


class Read(NamedTuple):
    """A verdict, and why."""

    better: Better
    reason: str


class Preference(NamedTuple):
    """What both orders say of one answer against another."""

    outcome: Outcome | None
    """None where a verdict could not be read."""
    consistent: bool
    """Whether both orders named the same answer, or both said tie."""
    reason: str


def read_verdict(reply: str) -> Read | None:
    """The verdict in the words of a judge; None where there is none."""
    for text in [reply, *reversed(_OBJECT.findall(reply))]:
        try:
            value = json_text.decode(text.strip().encode("utf-8", "replace"))
        except ValueError:
            continue
        if read := _read(value):
            return read
    return None


def prefer(forth: Read | None, back: Read | None) -> Preference:
    """``forth`` had the answer first, ``back`` had it second."""
    if forth is None or back is None:
        return Preference(None, False, "")
    if forth.better == "first" and back.better == "second":
        return Preference("win", True, forth.reason)
    if forth.better == "second" and back.better == "first":
        return Preference("loss", True, forth.reason)
    consistent = forth.better == back.better == "tie"
    return Preference("tie", consistent, forth.reason if consistent else "the order of the answers decided")


def _read(value: Any) -> Read | None:
    if not isinstance(value, dict):
        return None
    told = value.get("verdict", value.get("better", value.get("winner")))
    if isinstance(told, int) and not isinstance(told, bool):
        told = str(told)
    better = _WORDS.get(" ".join(told.lower().strip(" .'\"").split())) if isinstance(told, str) else None
    reason = value.get("reason")
    return (
        Read(better, " ".join(reason.split())[:_LONGEST_REASON] if isinstance(reason, str) else "") if better else None
    )
