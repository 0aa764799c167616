"""The arithmetic of spend and saving, and of rows still needed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.worth.money import DAYS_PER_MONTH, Gpu, Kept, money
from distill.worth.need import Shares, needs


def test_spend_and_saving_follow_from_what_was_paid_and_the_price_of_the_gpu() -> None:
    found = money(
        spend_usd=100.0, priced=50_000, rows=50_000, days=10.0, gpu=Gpu(0.25, 730.5), kept=Kept(teacher=10, audit=5)
    )

    assert found.spend == pytest.approx(304.375)
    assert found.avoidable == pytest.approx(260.240625)
    assert found.gpu == pytest.approx(182.625)
    assert found.saving == pytest.approx(77.615625)
    assert found.break_even_gpu_hour == pytest.approx(260.240625 / 730.5)
    assert found.arithmetic == (
        "spend: $100.00 in 10.0 days, x 30.44 days = $304.38 a month",
        "avoidable: $304.38 x (1 - 10% of the teacher's own) x (1 - 5% audit) = $260.24 a month",
        "break-even price: $260.24 / 730.5 GPU hours = $0.3563 an hour",
        "GPU: $0.25 x 730.5 hours = $182.62 a month",
        "saving: $260.24 - $182.62 = $77.62 a month",
        "break-even traffic: "
        "$182.62 / $0.001710 avoidable per exchange = 106,798 exchanges a month (there are 152,188)",
    )


def test_without_a_price_of_the_gpu_nothing_is_said_of_a_saving() -> None:
    found = money(spend_usd=100.0, priced=1, rows=1, days=10.0, gpu=None, kept=Kept())

    assert (found.gpu, found.saving, found.break_even_exchanges) == (None, None, None)
    assert len(found.arithmetic) == 3


def test_without_a_known_cost_nothing_is_reckoned() -> None:
    found = money(spend_usd=None, priced=0, rows=100, days=10.0, gpu=Gpu(1.0, 100.0), kept=Kept())

    assert (found.spend, found.avoidable, found.saving, found.arithmetic) == (None, None, None, ())
    assert found.exchanges == pytest.approx(10 * DAYS_PER_MONTH)


def test_a_teacher_that_costs_nothing_is_never_paid_back() -> None:
    found = money(spend_usd=0.0, priced=10, rows=10, days=1.0, gpu=Gpu(1.0, 100.0), kept=Kept())

    assert found.saving == -100.0
    assert found.break_even_exchanges is None


@given(spend=st.floats(0.01, 1e6), rows=st.integers(1, 10**7), days=st.floats(1, 365), price=st.floats(0.01, 100.0))
def test_at_break_even_the_saving_is_nothing(spend: float, rows: int, days: float, price: float) -> None:
    before = money(spend_usd=spend, priced=rows, rows=rows, days=days, gpu=Gpu(price, 730.5), kept=Kept())
    assert before.break_even_exchanges is not None
    assert before.break_even_gpu_hour is not None

    factor = before.break_even_exchanges / before.exchanges
    with_more = money(spend_usd=spend * factor, priced=rows, rows=rows, days=days, gpu=Gpu(price, 730.5), kept=Kept())
    with_other = money(
        spend_usd=spend, priced=rows, rows=rows, days=days, gpu=Gpu(before.break_even_gpu_hour, 730.5), kept=Kept()
    )

    assert with_more.saving == pytest.approx(0.0, abs=1e-6 * price * 730.5)
    assert with_other.saving == pytest.approx(0.0, abs=1e-9 * spend / days * DAYS_PER_MONTH * Kept().rest)


def test_needs_count_training_answers_and_test_groups_apart() -> None:
    first, good, gate, better, equal = needs(usable=1_000, groups=500, usable_per_day=100.0, shares=Shares())

    assert (first.have, first.need, first.missing_rows, first.days) == (850, 300, 0, 0.0)
    assert (good.have, good.need, good.missing_rows, good.days) == (850, 1_000, 177, 1.77)
    assert (gate.have, gate.need, gate.missing_rows, gate.days) == (50, 300, 5_000, 50.0)
    assert (better.need, better.missing_rows) == (640, 11_800)
    assert (equal.need, equal.missing_rows) == (1_880, 36_600)


def test_where_nothing_comes_no_day_is_named() -> None:
    (first, *_) = needs(usable=0, groups=0, usable_per_day=0.0, shares=Shares(min_examples=85))

    assert (first.have, first.missing_rows, first.days) == (0, 100, None)


@given(usable=st.integers(0, 10**6), extra=st.integers(0, 10**6), share=st.floats(0.01, 0.5))
def test_more_rows_never_need_more(usable: int, extra: int, share: float) -> None:
    before = needs(usable=usable, groups=usable, usable_per_day=1.0, shares=Shares(test=share))
    after = needs(usable=usable + extra, groups=usable + extra, usable_per_day=1.0, shares=Shares(test=share))

    assert all(less.missing_rows >= more.missing_rows for less, more in zip(before, after, strict=True))
