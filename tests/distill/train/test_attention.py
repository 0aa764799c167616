"""Attention in parts is the attention of the whole row, with less to compute."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from distill.train.attention import Part, attend, parts_of
from distill.train.pack import Row, rows_of
from distill.train.sequence import TokenSequence
from tests.distill.train.school import lessons, sequence
from tests.distill.train.test_pack import batches
from tests.formats.arbitrary import unhurried


def visible(row: Row, parts: list[Part]) -> torch.Tensor:
    """bool (L, L): what each token is compared with, and sees."""
    ranges = torch.arange(len(row.tokens)).split([part.tokens for part in parts])
    found = torch.zeros(len(row.tokens), len(row.tokens), dtype=torch.bool)
    for own, part in zip(ranges, parts, strict=True):
        columns = torch.cat([ranges[number] for number in part.sees])
        mask = torch.ones(part.tokens, part.tokens).tril().bool() if part.mask is None else part.mask
        found[own[:, None], columns[None, :]] = mask
    return found


def compared(parts: list[Part]) -> int:
    """Pairs of tokens."""
    return sum(part.tokens * sum(parts[number].tokens for number in part.sees) for part in parts)


@unhurried
@given(batch=batches, row_tokens=st.integers(1, 300), least=st.integers(1, 60), most=st.integers(1, 60))
def test_the_parts_show_each_token_all_that_it_may_see_and_no_more(
    batch: list[TokenSequence], row_tokens: int, least: int, most: int
) -> None:
    for row in rows_of(batch, row_tokens):
        places = torch.arange(len(row.tokens))

        parts = parts_of(row, least_tokens=least, most_tokens=most)

        assert sum(part.tokens for part in parts) == len(places)
        assert torch.equal(visible(row, parts), row.sees(places, places))


@unhurried
@given(batch=batches, least=st.integers(1, 60), most=st.integers(1, 60))
def test_what_comes_out_is_what_one_mask_over_the_row_gives(batch: list[TokenSequence], least: int, most: int) -> None:
    for row in rows_of(batch, 300):
        length = len(row.tokens)
        draw = torch.Generator().manual_seed(length)
        query, key, value = (
            torch.randn(1, heads, length, 8, generator=draw, dtype=torch.float64) for heads in (6, 2, 2)
        )
        places = torch.arange(length)
        whole = F.scaled_dot_product_attention(
            query, key.repeat_interleave(3, 1), value.repeat_interleave(3, 1), row.sees(places, places), scale=0.3
        )

        parts = parts_of(row, least_tokens=least, most_tokens=most)
        attended, _ = attend(None, query, key, value, None, parts=parts, scaling=0.3)

        torch.testing.assert_close(attended, whole.transpose(1, 2), rtol=1e-12, atol=1e-12)


def test_a_sequence_alone_is_one_part_without_a_mask() -> None:
    (row,) = rows_of([sequence(list(range(40)), (20, 30))], 100)

    assert parts_of(row) == [Part(40, (0,), None)]


def test_short_sequences_are_put_together() -> None:
    (row,) = rows_of([sequence([n, n + 1, n + 2], (1, 3)) for n in range(0, 120, 3)], 1_000)

    assert [part.tokens for part in parts_of(row, least_tokens=50)] == [51, 51, 18]


def test_a_templated_row_compares_a_fraction_of_its_square() -> None:
    (row,) = rows_of(lessons(40), 10_000)

    assert compared(parts_of(row, least_tokens=16)) < 0.25 * len(row.tokens) ** 2


def test_a_long_sequence_compares_little_more_than_half_of_its_square() -> None:
    (row,) = rows_of([sequence([1] * 1_000, (999, 1_000))], 10_000)

    assert compared(parts_of(row, most_tokens=100)) == 550_000
