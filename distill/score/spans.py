"""``spans``: what was found in a text, each as a value and perhaps a type, such as personal data to redact.

The score of the published redaction result: spans are matched one to one so that the sum is greatest; a pair counts the
similarity of its values (rapidfuzz's ``ratio``: 2 · the longest common subsequence / both lengths) if its types are
equal, else 0. Score = the sum / (spans of the reference + spans of the answer without a partner). Nothing to find and
nothing found is 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from rapidfuzz.fuzz import ratio

from distill.score.contract import fault_of_call, fault_of_json, toolbox_of
from distill.score.matching import best_pairs
from distill.score.message import calls_of, json_of, says_nothing, text_of, value_of
from distill.score.scorer import INVALID_ANSWER, INVALID_REFERENCE, Message, Question, Scored, problem
from distill.score.span_fields import SpanFields, objects_in, recognised

MOST_SPANS = 100
"""More of one answer are not looked at: a model that repeats itself must not stop an evaluation."""


class Span(NamedTuple):
    """One thing that was found."""

    value: str
    type: str | None


class SpansScorer:
    """Finds the list of spans in the arguments of tool calls, or in JSON content."""

    name = "spans"

    def __init__(self, fields: SpanFields = SpanFields()) -> None:  # noqa: B008  frozen
        self._fields = fields

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        broken = _fault(question, reference)
        fault = _fault(question, answer)
        fields = recognised(self._fields, _documents(reference)) or recognised(self._fields, _documents(answer))
        value = _score(_spans(answer, fields), _spans(reference, fields))
        if broken is not None:
            return Scored(value, problem(INVALID_REFERENCE, broken))
        return Scored(0.0, problem(INVALID_ANSWER, fault)) if fault else Scored(value)


def _fault(question: Question, message: Message | None) -> str | None:
    """Prose without calls says that nothing was found, unless the request asks for JSON."""
    if message is None or says_nothing(message):
        return "it says nothing"
    calls, tools = calls_of(message), toolbox_of(question)
    if calls:
        return next((fault for call in calls if (fault := fault_of_call(call, tools))), None)
    wants_json = question.response_format is not None and question.response_format.get("type") != "text"
    return fault_of_json(value_of(text_of(message)), question) if wants_json else None


def _documents(message: Message | None) -> list[object]:
    if message is None:
        return []
    calls = [call.arguments for call in calls_of(message)]
    return calls or [json_of(message)]


def _spans(message: Message | None, fields: SpanFields | None) -> list[Span]:
    if fields is None or fields.value is None:
        return []
    found = [inner for document in _documents(message) for inner in objects_in(document, fields)][:MOST_SPANS]
    kind = fields.type
    return [Span(str(inner.get(fields.value, "")), str(inner.get(kind)) if kind else None) for inner in found]


def _score(given: list[Span], right: list[Span]) -> float:
    if not given and not right:
        return 1.0
    gains = [[_alike(one, other) for other in right] for one in given]
    pairs = best_pairs(gains)
    spurious = len(given) - len(pairs)
    return math.fsum(gains[row][column] for row, column in pairs) / (len(right) + spurious)


def _alike(one: Span, other: Span) -> float:
    return ratio(one.value, other.value) / 100 if one.type == other.type else 0.0
