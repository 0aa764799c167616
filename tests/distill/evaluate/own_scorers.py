"""Functions as users write them."""

from __future__ import annotations

from typing import Any


def is_known(question: dict[str, Any], answer: dict[str, Any] | None, reference: dict[str, Any]) -> float:
    """Looks at the answer alone."""
    return float(answer is not None and answer["content"] in ("billing", "refund"))


def is_equal(question: dict[str, Any], answer: dict[str, Any] | None, reference: dict[str, Any]) -> float:
    """Needs to be told what is right."""
    return float(answer is not None and answer["content"] == reference["content"])


def raises(question: dict[str, Any], answer: dict[str, Any] | None, reference: dict[str, Any]) -> float:
    """Raises for some of the answers that are not the teacher's."""
    if answer is not None and answer["content"] == "spam":
        raise RuntimeError("no spam here")
    return 1.0


def not_a_number(question: dict[str, Any], answer: dict[str, Any] | None, reference: dict[str, Any]) -> float:
    return float("nan")
