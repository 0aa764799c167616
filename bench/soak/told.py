"""What a client was told in answer to one question, and whether it could be true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.soak.question import TEACHER, Question, origin_of

End = Literal["whole", "error", "cut", "left", "failed"]
"""The answer was whole, or a stream that ended with an error event; it was cut short; the client left; or none came."""

ENDS: dict[str, frozenset[str]] = {
    "reset-before-head": frozenset({"whole 502"}),
    "close-before-head": frozenset({"whole 502"}),
    "garbage": frozenset({"whole 502"}),
    "hang-before-head": frozenset({"whole 504"}),
    "drop-reused": frozenset({"whole 200", "whole 502"}),
    "reset": frozenset({"error 200", "cut 200", "whole 502"}),
    "no-last-chunk": frozenset({"error 200", "cut 200", "whole 502"}),
    "truncated-chunk": frozenset({"error 200", "cut 200", "whole 502"}),
    "hang": frozenset({"error 200", "cut 200", "whole 504"}),
    "error-event": frozenset({"error 200", "whole 200"}),
    "status-400": frozenset({"whole 400"}),
    "status-429": frozenset({"whole 429"}),
    "status-500": frozenset({"whole 500"}),
}
"""How an answer may end, by the manner of its question; anything else must be whole."""
_WELL = frozenset({"whole 200"})


@dataclass(frozen=True, slots=True)
class Told:
    """How one request went. Times are of ``time.monotonic()``."""

    kind: str
    """Of client."""
    question: Question
    began: float
    ended: float
    end: End
    status: int | None = None
    id: str | None = None
    target: str | None = None
    mark: str | None = None
    detail: str = ""

    @property
    def acknowledged(self) -> bool:
        """The client knows that its answer is complete."""
        return self.end == "whole" and self.id is not None


@dataclass(frozen=True, slots=True)
class Outage:
    """A span in which answers may be cut, because a process that gave them was killed."""

    began: float
    ended: float
    of: Literal["worker", "student"]

    def excuses(self, told: Told) -> bool:
        """Of a dead worker everything, of a dead replica what it was in the middle of."""
        overlaps = told.began <= self.ended and told.ended >= self.began
        return overlaps and (self.of == "worker" or told.target == "student")


def mixed_up(told: Told) -> str:
    """Why this cannot be the answer to the question; empty if it can."""
    mark = told.mark
    if mark is None:
        missing = told.end == "whole" and told.status == 200
        return "an answer without its mark" if missing else ""
    origin = origin_of(mark)
    if mark != told.question.mark(origin):
        return f"the mark {mark} belongs to another question"
    if (origin == TEACHER) != (told.target != "student"):
        return f"x-nightschool-target says {told.target}, and {origin} has answered"
    return ""


def unexpected(told: Told, outages: Sequence[Outage]) -> str:
    """Why the request should not have ended as it did; empty if it may."""
    ended = f"{told.end} {told.status}"
    if told.end == "left" or ended in ENDS.get(told.question.manner, _WELL):
        return ""
    if told.end != "whole" and any(outage.excuses(told) for outage in outages):
        return ""
    return f"{told.question.text} ({told.kind}): {ended} {told.detail}".rstrip()
