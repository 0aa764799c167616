"""Answers as a server gives them -> messages; and the file in which they are kept as they come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from distill.journal import Journal
from distill.score.scorer import INVALID_ANSWER, Message, problem
from nightschool.errors import Unparsable
from nightschool.formats import parse, unguarded
from nightschool.wire import json_text

REFUSED = "refused_by_engine"
"""The engine did not take the prompt: it is too long, or asks for what it cannot do."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a system answered to one case."""

    system: str
    example: str
    message: dict[str, Any] | None
    """None where the answer cannot be read, or there is none."""
    raw: str | None = None
    """What was written, where it is no message."""
    problem: str | None = None
    latency_ms: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None


def read_message(served: dict[str, Any]) -> tuple[Message | None, str | None]:
    """A message of a server that speaks our format, as an application would get it; or None, and what is wrong."""
    content = served.get("content")
    content = content if isinstance(content, str) else ""
    calls = served.get("tool_calls")
    if calls:
        said = unguarded(content)
        return {"role": "assistant", "content": said or None, "tool_calls": calls}, None
    try:
        message = parse(content)
    except Unparsable as error:
        return None, problem(INVALID_ANSWER, str(error))
    for number, call in enumerate(message.get("tool_calls", [])):
        call["id"] = f"call_{number}"
        call["function"]["arguments"] = json_text.encode(call["function"]["arguments"]).decode()
    return message, None


class KeptAnswers:
    """The answers there are, by system and example; their texts stay on the disk."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._places: dict[tuple[str, str], int] = {}
        for place, line in journal.lines():
            answer = _decode(line)
            self._places[answer.system, answer.example] = place

    def __contains__(self, name: tuple[str, str]) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def get(self, system: str, example: str) -> Answer | None:
        place = self._places.get((system, example))
        return None if place is None else _decode(self._journal.at(place))

    def keep(self, answer: Answer) -> None:
        """There for good, as far as the death of this process goes."""
        self._places[answer.system, answer.example] = self._journal.append(_encode(answer))


@contextmanager
def kept_answers(path: Path) -> Iterator[KeptAnswers]:
    """Open the file of a run, with what an earlier one has left in it."""
    with Journal(path) as journal:
        yield KeptAnswers(journal)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Answer).decode
