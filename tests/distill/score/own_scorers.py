"""Scorers as users write them, good and bad."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

NOT_A_FUNCTION = 7


def length(question: dict[str, Any], answer: dict[str, Any] | None, reference: dict[str, Any]) -> float:
    return 0.0 if answer is None else min(len(answer["content"]) / len(reference["content"]), 1.0)


def asked(question: dict[str, Any], answer: Any, reference: Any) -> Any:
    """Whether it was given plain dictionaries."""
    return np.bool_(type(question) is dict and question["messages"][0]["content"] == "?" and question["tools"] == [])


def fails(question: Any, answer: Any, reference: Any) -> float:
    return 1 / 0


def nan(question: Any, answer: Any, reference: Any) -> float:
    return math.nan


def percent(question: Any, answer: Any, reference: Any) -> float:
    return 97.0


def words(question: Any, answer: Any, reference: Any) -> str:
    return "0.5"


def nothing(question: Any, answer: Any, reference: Any) -> None:
    return None


halfway = partial(pow, 0.5, 1)
"""It can be called, and is no function."""
