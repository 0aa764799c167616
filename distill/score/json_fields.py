"""``json_fields``: the F1 of the fields of a JSON answer.

A field is a value that is neither an object nor a list, at its path, or an empty object or list. Lists of objects are
matched so that most fields agree, whatever their order; other lists are compared in their order. Values are compared as
in ``likeness``. Score = 2 · equal fields / (fields of the answer + fields of the reference). An answer that is not
JSON, or breaks the schema of the request, scores 0. A reference that is not JSON and need not be is compared as by
``exact``: "Sorry, this is no invoice." is an answer, too.
"""

from __future__ import annotations

from typing import Any

from distill.score.contract import fault_of_json, must_be_json
from distill.score.exact import EXACT
from distill.score.likeness import is_unordered, same, told
from distill.score.matching import best_pairs
from distill.score.message import Unreadable, json_of, says_nothing, text_of, value_of
from distill.score.scorer import INVALID_ANSWER, INVALID_REFERENCE, Message, Question, Scored, problem


class JsonFieldsScorer:
    """Field F1, to any depth."""

    name = "json_fields"

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        value = _value(question, answer, reference)
        if broken := _fault(question, reference):
            return Scored(value, problem(INVALID_REFERENCE, broken))
        fault = _fault(question, answer)
        return Scored(0.0, problem(INVALID_ANSWER, fault)) if fault else Scored(value)


def _fault(question: Question, message: Message | None) -> str | None:
    """What is wrong with it for who has asked. JSON in a code fence is for those who have not asked for JSON."""
    if message is None or says_nothing(message):
        return "it says nothing"
    return fault_of_json(value_of(text_of(message)), question) if must_be_json(message, question) else None


def _value(question: Question, answer: Message | None, reference: Message) -> float:
    right = json_of(reference)
    if answer is None or isinstance(right, Unreadable):
        return EXACT(question, answer, reference).value
    fenced = isinstance(value_of(text_of(reference)), Unreadable)  # else whoever reads it need not know of fences
    return field_f1(json_of(answer) if fenced else value_of(text_of(answer)), right)


def field_f1(value: Any, reference: Any) -> float:
    """2 · equal / (fields here + fields there)."""
    return 2 * _equal(value, reference) / (_count(value) + _count(reference))


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_count, told(value).values())) or 1
    if isinstance(value, list):
        return sum(map(_count, value)) or 1
    return 1


def _equal(value: Any, reference: Any) -> int:
    if isinstance(value, dict) and isinstance(reference, dict):
        value, reference = told(value), told(reference)
        if not value and not reference:
            return 1
        return sum(_equal(value[name], reference[name]) for name in value.keys() & reference.keys())
    if isinstance(value, list) and isinstance(reference, list):
        return _equal_in_lists(value, reference)
    return int(same(value, reference))


def _equal_in_lists(value: list[Any], reference: list[Any]) -> int:
    if not value and not reference:
        return 1
    if not (is_unordered(value) and is_unordered(reference)):
        return sum(_equal(one, other) for one, other in zip(value, reference, strict=False))
    counts = [[_equal(one, other) for other in reference] for one in value]
    return sum(counts[row][column] for row, column in best_pairs(counts))
