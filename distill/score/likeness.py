"""How alike two JSON values are, from 0 to 1; objects and lists are compared to any depth.

Numbers are compared as in ``number``, and so are two texts that are numbers; other texts as in ``plain``. A wrong whole
number never passes for the right one, wherever it stands.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from distill.score.matching import best_pairs
from distill.score.number import number_in, same_number
from distill.score.plain import same_when_plain

MOST_MATCHED = 100
"""Longer lists of objects are compared in their order: the best matching would take too long."""


def likeness(value: Any, reference: Any) -> float:
    """1 for values that mean the same."""
    if isinstance(reference, dict) and isinstance(value, dict):
        return _objects(value, reference)
    if isinstance(reference, list) and isinstance(value, list):
        return _lists(value, reference)
    return float(same(value, reference))


def same(value: Any, reference: Any) -> bool:
    """Whether two values that are neither objects nor lists are equal."""
    if isinstance(value, str) and isinstance(reference, str):
        return _same_text(value, reference)
    if _is_number(value) and _is_number(reference):
        return same_number(Decimal(value), Decimal(reference))
    return type(value) is type(reference) and bool(value == reference)


def is_unordered(values: list[Any]) -> bool:
    """Lists of objects mean the same in any order; the order of plain values may matter, as in coordinates."""
    return 0 < len(values) <= MOST_MATCHED and all(isinstance(value, dict) for value in values)


def told(value: dict[str, Any]) -> dict[str, Any]:
    """Without what is null: it means the same as what is not there."""
    return {name: inner for name, inner in value.items() if inner is not None}


def _objects(value: dict[str, Any], reference: dict[str, Any]) -> float:
    value, reference = told(value), told(reference)
    names = value.keys() | reference.keys()
    alike = math.fsum(likeness(value[name], reference[name]) for name in value.keys() & reference.keys())
    return alike / len(names) if names else 1.0


def _lists(value: list[Any], reference: list[Any]) -> float:
    most = max(len(value), len(reference))
    if not most:
        return 1.0
    if not (is_unordered(value) and is_unordered(reference)):
        return math.fsum(likeness(one, other) for one, other in zip(value, reference, strict=False)) / most
    gains = [[likeness(one, other) for other in reference] for one in value]
    return math.fsum(gains[row][column] for row, column in best_pairs(gains)) / most


def _same_text(value: str, reference: str) -> bool:
    if value == reference:
        return True
    number, other = number_in(value), number_in(reference)
    if number is not None and other is not None:
        return same_number(number, other)
    return same_when_plain(value, reference)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
