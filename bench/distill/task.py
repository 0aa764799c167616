"""A task: what is asked through the proxy, how its teacher answers, what is held out, and what counts as right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from demo.scripted_upstream import Answer

Message = Mapping[str, Any]


class Counts(NamedTuple):
    """Of one answer."""

    right: int
    """How much of what it says is right."""
    said: int
    true: int
    """How much there is to say."""


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and the right answer to it."""

    request: dict[str, Any]
    truth: Message
    told: Message
    """What the teacher answers."""

    @property
    def asked(self) -> str:
        """The text that differs from request to request; no two cases have the same."""
        return str(self.request["messages"][-1]["content"])


class Judge(Protocol):
    """Compares an answer with the truth; the counts, and whether the answer has the form that was asked for."""

    def __call__(self, answer: Message | None, truth: Message) -> tuple[Counts, bool]: ...


@dataclass(frozen=True, slots=True)
class Task:
    """One workload with its truth."""

    workload: str
    when: dict[str, str]
    """The rule by which the proxy knows it."""
    traffic: Sequence[Case]
    held_out: Mapping[str, Sequence[Case]]
    """By the name of the set."""
    teacher: Answer
    judge: Judge
    most_tokens: int
    """Of an answer, a quarter more than the longest right one has: what goes on for longer is wrong anyway."""
