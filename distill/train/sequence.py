"""An example of a dataset -> token sequences, and which of their tokens are to be learned.

    messages[:p] ─ render_prompt ─> prompt ─ encode ─> context, never learned
    messages[p] ─ render_completion ─> answer + end of turn ─ encode ─> learned

What is learned is known by construction, answer by answer; nothing is searched for in rendered text. A prompt is
encoded exactly as a server does it, in one piece: where the pieces of a conversation do not add up to that, its answers
become sequences of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nightschool.formats import Format, render_completion, render_prompt

Encode = Callable[[str], list[int]]
"""Text -> token ids: special tokens are parsed, none are added."""


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """A conversation as the student reads and writes it."""

    example: str
    """Id of the example it comes from."""
    ids: tuple[int, ...]
    learned: tuple[tuple[int, int], ...]
    """Ranges of ``ids``, each an answer with its end of turn; ascending, the first does not begin at 0."""
    weight: float
    """How much each learned token counts."""

    @property
    def learned_tokens(self) -> int:
        return sum(end - begin for begin, end in self.learned)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes conversations the way one base model reads them."""

    format: Format
    encode: Encode
    end_of_turn: int
    """Id of the token that ends an answer."""

    def sequences(
        self,
        example: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None,
        learn: Sequence[int],
        weight: float,
    ) -> list[TokenSequence]:
        """One sequence for all the answers of a conversation, or several where they cannot be had in one.

        ``learn`` are the places of the answers in ``messages``, ascending. Raises ``Unrenderable``.
        """
        open_ = _Open()
        done: list[_Open] = []
        for place in learn:
            prompt = render_prompt(messages[:place], tools, self.format)
            answer = render_completion(messages[place], self.format)
            context = self.encode(prompt)
            if not open_.continues_to(context):
                done.append(open_)
                open_ = _Open()
            open_.add(context, [*self.encode(answer), self.end_of_turn])
        return [TokenSequence(example, tuple(each.ids), tuple(each.learned), weight) for each in [*done, open_]]


class _Open:
    """A sequence that may still grow."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.learned: list[tuple[int, int]] = []

    def continues_to(self, context: list[int]) -> bool:
        return context[: len(self.ids)] == self.ids

    def add(self, context: list[int], answer: list[int]) -> None:
        self.ids = [*context, *answer]
        self.learned.append((len(context), len(self.ids)))
