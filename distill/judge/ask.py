"""What a judge is, seen from those who ask it: messages in, a reply out."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from distill.score.scorer import Message
from nightschool.errors import NightschoolError


class JudgeUnavailable(NightschoolError):
    """The judge cannot be asked any more; verdicts that were given are kept."""


class QuestionFailed(Exception):
    """One question has no answer; the text says why."""


class Reply(NamedTuple):
    """What the judge wrote, and what it cost."""

    text: str
    prompt_tokens: int | None
    completion_tokens: int | None


class Ask(Protocol):
    """Puts messages to a judge. Raises QuestionFailed, or JudgeUnavailable."""

    async def __call__(self, messages: list[Message]) -> Reply: ...
