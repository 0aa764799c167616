"""An example of a dataset -> token sequences, and which of their tokens are to be learned.

    messages[:p] ─ render_prompt ─> prompt ─ encode ─> context, never learned
    messages[p] ─ render_completion ─> answer + end of turn ─ encode ─> learned ─ align ─> with soft labels

What is learned is known by construction, answer by answer; nothing is searched for in rendered text. A prompt is
encoded exactly as a server does it, in one piece: where the pieces of a conversation do not add up to that, its answers
become sequences of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distill.dataset import logprobs
from distill.train.soft import SoftLabels, align, joined
from distill.train.vocabulary import Vocabulary
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
    soft: SoftLabels | None = field(default=None, compare=False)
    """What the teacher nearly said, where that is known and wanted."""

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
    vocabulary: Vocabulary | None = None
    """With it, log probabilities become soft labels."""

    def sequences(
        self,
        example: str,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None,
        learn: Sequence[int],
        weight: float,
        told: Sequence[str | None] | None = None,
    ) -> list[TokenSequence]:
        """One sequence for all the answers of a conversation, or several where they cannot be had in one.

        ``learn`` are the places of the answers in ``messages``, ascending; ``told`` are the teacher's log probabilities
        of each, as the dataset has them. Raises ``Unrenderable``.
        """
        open_ = _Open()
        done: list[_Open] = []
        for number, place in enumerate(learn):
            prompt = render_prompt(messages[:place], tools, self.format)
            context = self.encode(prompt)
            if not open_.continues_to(context):
                done.append(open_)
                open_ = _Open()
            open_.add(context, *self.answer(messages[place], told[number] if told else None))
        return [each.finished(example, weight) for each in [*done, open_]]

    def answer(self, message: Mapping[str, Any], told: str | None) -> tuple[list[int], SoftLabels | None]:
        """What is learned of one answer; its end has no soft label."""
        text = render_completion(message, self.format)
        ids = self.encode(text)
        soft = align(text, ids, logprobs.read(told), self.vocabulary) if told and self.vocabulary else None
        return [*ids, self.end_of_turn], soft


class _Open:
    """A sequence that may still grow."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.learned: list[tuple[int, int]] = []
        self._soft: list[tuple[int, SoftLabels]] = []
        self._learned_tokens = 0

    def continues_to(self, context: list[int]) -> bool:
        return context[: len(self.ids)] == self.ids

    def add(self, context: list[int], answer: list[int], soft: SoftLabels | None) -> None:
        self.ids = [*context, *answer]
        self.learned.append((len(context), len(self.ids)))
        if soft is not None:
            self._soft.append((self._learned_tokens, soft))
        self._learned_tokens += len(answer)

    def finished(self, example: str, weight: float) -> TokenSequence:
        return TokenSequence(example, tuple(self.ids), tuple(self.learned), weight, joined(self._soft))
