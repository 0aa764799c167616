"""What every scorer takes and gives.

An answer and a reference are assistant messages as they are on the wire. The reference is what is held to be true: a
label, or the teacher's own answer.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import msgspec

Message = dict[str, Any]

INVALID_ANSWER = "invalid_answer"
"""The answer is nothing, or breaks what the request asked for. Its value is a measurement: so it would be in use."""
INVALID_REFERENCE = "invalid_reference"
"""The reference itself breaks it, so the value says little."""
SCORER_FAILED = "scorer_failed"
NOT_A_NUMBER = "not_a_number"
NO_MEASUREMENTS = frozenset({INVALID_REFERENCE, SCORER_FAILED, NOT_A_NUMBER})
"""With these problems a value says nothing of the answer, and must count for nothing, not for 0."""


class Question(msgspec.Struct, frozen=True):
    """What was asked, without the answer."""

    messages: list[Message]
    tools: list[dict[str, Any]] = []
    response_format: dict[str, Any] | None = None


class Scored(NamedTuple):
    """How good an answer is."""

    value: float
    """From 0 to 1."""
    problem: str | None = None
    """Why it could not be scored as meant: a kind, and perhaps details after a colon. To be counted in reports."""

    @property
    def is_measurement(self) -> bool:
        """Whether the value says something of the answer."""
        return is_measurement(self.problem)


class Scorer(Protocol):
    """Compares one answer with one reference."""

    @property
    def name(self) -> str:
        """As it is written in the configuration."""

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        """``answer`` is None where nothing usable came."""


def problem(kind: str, detail: str = "") -> str:
    """``kind: detail``, in one line of bearable length."""
    return f"{kind}: {' '.join(detail.split())[:200]}" if detail else kind


def kind_of(problem: str) -> str:
    """To count problems by."""
    return problem.split(":", 1)[0]


def is_measurement(problem: str | None) -> bool:
    """Whether a value with this problem says something of the answer."""
    return problem is None or kind_of(problem) not in NO_MEASUREMENTS
