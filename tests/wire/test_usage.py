"""Token counts and what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from nightschool.record import Price
from nightschool.wire.usage import Usage, cost_usd, usage_of


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, Usage(5, 2, None, None, 7)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
            Usage(5, 0, 0, 0, None),
        ),
        (
            {
                "input_tokens": 36,
                "output_tokens": 87,
                "input_tokens_details": {"cached_tokens": 8},
                "output_tokens_details": {"reasoning_tokens": 64},
                "total_tokens": 123,
            },
            Usage(36, 87, 8, 64, 123),
        ),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(8, 0, None, None, 8)),
        ({"prompt_tokens": 17, "completion_tokens": 1, "prompt_cache_hit_tokens": 16}, Usage(17, 1, 16, None, None)),
        ({"prompt_tokens": 17, "completion_tokens": 1, "cached_tokens": 16}, Usage(17, 1, 16, None, None)),
        (
            {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20},
            Usage(123, 4, 100, None, None),
        ),
        ({"prompt_tokens": 5.0, "completion_tokens": "2", "total_tokens": -1}, Usage(5, None, None, None, None)),
        ({"prompt_tokens": True, "completion_tokens": 2**31}, Usage()),
        ({"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": None}, Usage(1, 1)),
        (None, Usage()),
        ([], Usage()),
    ],
)
def test_counts_are_read_from_every_shape_and_unknown_is_not_zero(usage: Any, expected: Usage) -> None:
    assert usage_of({"usage": usage}) == expected


@pytest.mark.parametrize("answer", [None, [], "text", {}, {"usage": None}])
def test_an_answer_without_usage_has_none(answer: Any) -> None:
    assert usage_of(answer) == Usage()


PRICE = Price(input=2.0, output=10.0, cached_input=0.5)


@pytest.mark.parametrize(
    ("usage", "price", "expected"),
    [
        (Usage(1_000_000, 100_000), PRICE, 3.0),
        (Usage(1_000_000, 100_000, cached=400_000), PRICE, 2.4),
        (Usage(1_000_000, 100_000, cached=400_000), Price(input=2.0, output=10.0), 3.0),
        (Usage(0, 0), PRICE, 0.0),
        (Usage(100, 0, cached=200), PRICE, 0.00005),
        (Usage(None, 100_000), PRICE, None),
        (Usage(1_000_000, None), PRICE, None),
        (Usage(1_000_000, 100_000), None, None),
    ],
)
def test_cost_is_exact_or_unknown(usage: Usage, price: Price | None, expected: float | None) -> None:
    assert cost_usd(usage, price) == (None if expected is None else pytest.approx(expected))


def test_reasoning_that_was_counted_apart_is_paid_for() -> None:
    assert cost_usd(Usage(0, 100_000, reasoning=200_000, total=300_000), PRICE) == pytest.approx(3.0)


def test_reasoning_that_is_part_of_the_completion_is_not_paid_for_twice() -> None:
    assert cost_usd(Usage(0, 300_000, reasoning=200_000, total=300_000), PRICE) == pytest.approx(3.0)
