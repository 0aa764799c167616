"""``exact`` and ``label``: right or wrong, nothing between.

``exact``: the canonical forms are equal: the spelling of JSON, the order of calls and white space around a text do not
count, everything else does. ``label``: of a closed set, so case, quotes and a full stop around it do not count either.
"""

from __future__ import annotations

from collections.abc import Callable

from distill.score.message import canonical, says_nothing
from distill.score.scorer import INVALID_ANSWER, INVALID_REFERENCE, Message, Question, Scored, problem

_AROUND = " \t\r\n\"'`.*"


class EqualityScorer:
    """1 where two messages are equal in some form, else 0."""

    def __init__(self, name: str, form: Callable[[Message], str]) -> None:
        self.name = name
        self._form = form

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        if says_nothing(reference):
            return Scored(float(says_nothing(answer)), problem(INVALID_REFERENCE, "it says nothing"))
        if answer is None or says_nothing(answer):
            return Scored(0.0, problem(INVALID_ANSWER, "it says nothing"))
        return Scored(float(self._form(answer) == self._form(reference)))


def _label(message: Message) -> str:
    text = canonical(message)
    return " ".join(text.strip(_AROUND).casefold().split()) or text


EXACT = EqualityScorer("exact", canonical)
LABEL = EqualityScorer("label", _label)
