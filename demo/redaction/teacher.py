"""A teacher that knows the truth and tells it with noise: served over HTTP, as a real one is.

    with scripted_teacher(texts, types, Noise(wrong_types=0.3)) as upstream:
        ... upstream.base_url ...

The noise of a text depends on the seed and the text alone, so asking again gives the same answer.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from demo.redaction.request import arguments_for
from demo.redaction.text import Entity, Text
from demo.scripted_upstream import ScriptedUpstream, upstream_in_thread
from demo.upstream.behaviour import Behaviour


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What goes wrong with an entity, at random: one of the two, or nothing."""

    wrong_types: float = 0.0
    """Share of the entities that are given another type."""
    dropped: float = 0.0
    """Share of the entities that are not told at all."""
    seed: int = 1


EXACT = Noise()


def told(text: Text, types: Sequence[str], noise: Noise) -> tuple[Entity, ...]:
    """What the teacher says is in a text."""
    roll = random.Random(f"{noise.seed} {text.text}")
    said: list[Entity] = []
    for entity in text.entities:
        lot, wrong = roll.random(), roll.choice([name for name in types if name != entity.type])
        if lot < noise.wrong_types:
            said.append(entity._replace(type=wrong))
        elif lot >= noise.wrong_types + noise.dropped:
            said.append(entity)
    return tuple(dict.fromkeys(said))


class Teacher:
    """Texts it was not given are answered with status 400."""

    def __init__(self, texts: Iterable[Text], types: Sequence[str], noise: Noise) -> None:
        self._arguments = {text.text: arguments_for(told(text, types, noise)) for text in texts}

    def __call__(self, request: dict[str, Any]) -> Behaviour:
        """How to answer a chat request: by the last user message."""
        asked = [message.get("content") for message in request.get("messages") or [] if message.get("role") == "user"]
        arguments = self._arguments.get(asked[-1]) if asked else None
        if arguments is None:
            return Behaviour(status=400)
        return Behaviour(arguments=_in_pieces(arguments))


@contextlib.contextmanager
def scripted_teacher(texts: Iterable[Text], types: Sequence[str], noise: Noise = EXACT) -> Iterator[ScriptedUpstream]:
    """The teacher on a free port of 127.0.0.1, in a thread of its own."""
    with upstream_in_thread(answer=Teacher(texts, types, noise)) as upstream:
        yield upstream


def _in_pieces(text: str, size: int = 12) -> tuple[str, ...]:
    """As a stream sends it."""
    return tuple(text[start : start + size] for start in range(0, len(text), size))
