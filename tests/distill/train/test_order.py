"""Which sequences are in which step."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.train.order import Order
from distill.train.schedule import rate_share


@given(st.integers(1, 50), st.integers(1, 20), st.integers(1, 4), st.integers(0, 5))
def test_each_epoch_has_every_sequence_once(sequences: int, batch: int, epochs: int, seed: int) -> None:
    order = Order(sequences, batch, epochs, seed)

    for epoch in range(epochs):
        steps = range(epoch * order.steps_per_epoch, (epoch + 1) * order.steps_per_epoch)
        assert Counter(index for step in steps for index in order.of_step(step)) == Counter(range(sequences))
    assert order.steps == epochs * order.steps_per_epoch


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first, other = Order(100, 100, 2, 1), Order(100, 100, 2, 2)

    assert first.of_step(0) == Order(100, 100, 2, 1).of_step(0)
    assert len({tuple(order) for order in (first.of_step(0), first.of_step(1), other.of_step(0))}) == 3


@pytest.mark.parametrize(
    ("sequences", "per_epoch", "expected"),
    [(80, 4, {3, 5, 8, 10, 13, 15, 18, 20}), (8, 4, {1, 2}), (24, 1, {3, 6})],
)
def test_the_looks_are_spread_over_each_epoch_and_one_is_at_its_end(
    sequences: int, per_epoch: int, expected: set[int]
) -> None:
    assert Order(sequences, 8, 2, 1).looks(per_epoch) == expected


@given(st.integers(1, 5_000))
def test_the_rate_rises_quickly_and_falls_to_a_tenth(steps: int) -> None:
    shares = [rate_share(step, steps) for step in range(steps)]

    assert max(shares) == pytest.approx(1.0)
    assert shares.index(max(shares)) <= 10
    assert all(0 < share <= 1 for share in shares)
    if steps > 25:
        assert shares[-1] == pytest.approx(0.1)
