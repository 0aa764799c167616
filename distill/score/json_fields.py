"""``json_fields``: the F1 of the fields of a JSON answer.

A field is a value that is neither an object nor a list, at its path, or an empty object or list. Lists of objects are
matched so that most fields agree, whatever their order; other lists are compared in their order. Values are compared as
in ``likeness``. Score = 2 · equal fields / (fields of the answer + fields of the reference). An answer that is not
JSON, or breaks the schema of the request, scores 0.
"""

from __future__ import annotations

from typing import Any

from distill.score.contract import fault_of_json
from distill.score.likeness import is_unordered, same, told
from distill.score.matching import best_pairs
from distill.score.message import says_nothing, text_of, value_of
from distill.score.scorer import INVALID_ANSWER, INVALID_REFERENCE, Message, Question, Scored, problem


class JsonFieldsScorer:
    """Field F1, to any depth."""

    name = "json_fields"

    def __call__(self, question: Question, answer: Message | None, reference: Message) -> Scored:
        right = value_of(text_of(reference))
        broken = fault_of_json(right, question)
        if answer is None or says_nothing(answer):
            kind, detail = (INVALID_REFERENCE, broken) if broken else (INVALID_ANSWER, "it says nothing")
            return Scored(0.0, problem(kind, detail))
        given = value_of(text_of(answer))
        if broken is not None:
            return Scored(field_f1(given, right), problem(INVALID_REFERENCE, broken))
        if fault := fault_of_json(given, question):
            return Scored(0.0, problem(INVALID_ANSWER, fault))
        return Scored(field_f1(given, right))


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
