"""Questions of the soak, and the answers that belong to them: who answers puts a mark into its words that nobody else
could."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import Any

from demo.upstream.behaviour import Behaviour, named
from demo.upstream.events import error_object

TEACHER = "teacher"
STUDENTS = "taught--"
"""What every adapter's name begins with."""
PIECES = 12
SLOW_EVENT_S = 0.05
LARGE_PIECES, LARGE_PIECE = 64, "A sentence that only makes the answer longer. " * 700
_TEXT = re.compile(r"soak (\d+) as ([a-z0-9-]+)")
_MARK = re.compile(r"<([a-z0-9-]+):([0-9a-f]{20})>")


@dataclass(frozen=True, slots=True)
class Question:
    """One request. ``manner`` is how it is to be answered: ``plain``, ``slow``, ``large``, or a scripted fault."""

    number: int
    manner: str = "plain"

    @property
    def text(self) -> str:
        return f"soak {self.number} as {self.manner}"

    def mark(self, origin: str) -> str:
        """What the answer of ``origin`` must hold."""
        return f"<{origin}:{hashlib.sha256(f'{origin} {self.text}'.encode()).hexdigest()[:20]}>"


def question_in(text: str | None) -> Question | None:
    """The first one in a text."""
    found = _TEXT.search(text or "")
    return None if found is None else Question(int(found[1]), found[2])


def mark_in(text: str | None) -> str | None:
    """The first mark in a text."""
    found = _MARK.search(text or "")
    return None if found is None else found[0]


def origin_of(mark: str) -> str:
    """Who has made it."""
    return mark[1:].partition(":")[0]


def answer_to(body: dict[str, Any]) -> Behaviour | None:
    """How the scripted upstream answers a chat completion; None for one that is no question of the soak."""
    content = (body.get("messages") or [{}])[-1].get("content")
    question = question_in(content if isinstance(content, str) else None)
    if question is None:
        return None
    model = str(body.get("model"))
    mark = question.mark(model if model.startswith(STUDENTS) else TEACHER)
    behaviour = replace(
        named(question.manner) or Behaviour(),
        deltas=_deltas(question.manner, mark),
        arguments=('{"city": "', mark[:9], mark[9:], '"}'),
    )
    if question.manner == "slow":
        return replace(behaviour, event_delay_s=SLOW_EVENT_S)
    if behaviour.status >= 400:
        return replace(behaviour, body=_error_with(mark, behaviour.status))
    return behaviour


def _deltas(manner: str, mark: str) -> tuple[str, ...]:
    """The mark cut in two, in the middle of other words."""
    padding = [LARGE_PIECE] * LARGE_PIECES if manner == "large" else ["and so on, "] * PIECES
    half = len(padding) // 2
    return (*padding[:half], mark[:9], mark[9:], *padding[half:])


def _error_with(mark: str, status: int) -> bytes:
    said = error_object(status)
    said["error"]["message"] += f" {mark}"
    return json.dumps(said).encode()
