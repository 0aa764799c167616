"""Packed and shared is exactly as if each sequence were alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.train.lora import trained
from distill.train.loss import row_loss, row_nll
from distill.train.pack import LEAST_SHARED_TOKENS, Row, rows_of
from distill.train.sequence import TokenSequence
from tests.distill.train.school import lessons, sequence, tiny_model
from tests.formats.arbitrary import unhurried

BEGINNINGS = [list(range(40)), list(range(20)) + list(range(60, 90)), [7], []]


@st.composite
def sequences(draw: st.DrawFn) -> TokenSequence:
    """Tokens that often begin like others, with one answer or two."""
    ids = [*draw(st.sampled_from(BEGINNINGS)), *draw(st.lists(st.integers(0, 255), min_size=2, max_size=30))]
    places = sorted(draw(st.lists(st.integers(1, len(ids)), min_size=2, max_size=4, unique=True)))
    learned = [(places[0], places[1])] + ([(places[2], places[3])] if len(places) == 4 else [])
    return sequence(ids, *learned, weight=draw(st.sampled_from([0.25, 1.0])))


batches = st.lists(sequences(), min_size=1, max_size=6)


def learned_in(row: Row) -> Counter[tuple[int, int, float]]:
    """What is predicted from which token, and its weight."""
    return Counter(zip(row.tokens[row.predicts].tolist(), row.targets.tolist(), row.weights.tolist(), strict=True))


@unhurried
@given(batch=batches, row_tokens=st.integers(1, 300))
def test_every_learned_token_is_in_the_rows_once(batch: list[TokenSequence], row_tokens: int) -> None:
    rows = rows_of(batch, row_tokens)

    expected = Counter(
        (each.ids[place - 1], each.ids[place], each.weight)
        for each in batch
        for begin, end in each.learned
        for place in range(begin, end)
    )
    assert sum((learned_in(row) for row in rows), Counter()) == expected
    longest = max(len(each.ids) for each in batch)
    assert all(len(row.tokens) <= max(row_tokens, longest) for row in rows)


@unhurried
@given(batch=batches, row_tokens=st.integers(1, 300))
def test_a_token_sees_its_own_sequence_up_to_itself_and_no_more(batch: list[TokenSequence], row_tokens: int) -> None:
    for row in rows_of(batch, row_tokens):
        places = torch.arange(len(row.tokens))
        mask = row.sees(places, places)
        for place in row.predicts.tolist():
            seen = [int(token) for token, visible in zip(row.tokens, mask[place], strict=True) if visible]
            positions = row.positions[mask[place]].tolist()
            assert positions == list(range(len(seen)))
            assert any(list(each.ids[: len(seen)]) == seen for each in batch)


def gradients(model: Any, rows: list[Row]) -> tuple[float, torch.Tensor]:
    """The loss, and all gradients as one vector."""
    model.zero_grad()
    loss = sum((row_loss(model, row) for row in rows), torch.zeros(()))
    loss.backward()
    return float(loss.detach()), torch.cat(
        [value.grad.flatten() for _, value in trained(model) if value.grad is not None]
    )


def moved_model() -> Any:
    """LoRA begins with a matrix of zeros, which would hide most gradients; in float64 but for the
    norms and rotations, which Llama computes in float32.
    """
    model = tiny_model().double()
    torch.manual_seed(3)
    with torch.no_grad():
        for _, parameter in trained(model):
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return moved_model()


@unhurried
@given(batch=batches)
def test_packed_loss_and_gradients_are_those_of_each_alone(model: Any, batch: list[TokenSequence]) -> None:
    alone_loss, alone = gradients(model, [row for each in batch for row in rows_of([each], 1)])

    packed_loss, packed = gradients(model, rows_of(batch, 1_000))

    assert packed_loss == pytest.approx(alone_loss, rel=1e-6)
    assert (packed - alone).norm() <= 1e-6 * alone.norm() + 1e-9


def test_what_sequences_begin_with_alike_is_computed_once() -> None:
    batch = lessons(8)

    (row,) = rows_of(batch, 10_000)

    shared = int((row.segment == 0).sum())
    assert shared > LEAST_SHARED_TOKENS
    assert len(row.tokens) == shared + sum(len(each.ids) - shared for each in batch)


def test_the_mask_is_not_for_show(model: Any) -> None:
    """Were documents to see each other, the loss would differ: the test above could not pass by luck."""
    batch = [sequence(list(range(n, n + 30)), (20, 30)) for n in (0, 50, 100)]
    (row,) = rows_of(batch, 1_000)
    leaking = Row(
        row.tokens,
        row.positions,
        torch.zeros_like(row.group),
        torch.zeros_like(row.segment),
        *(getattr(row, name) for name in ("predicts", "targets", "weights")),
    )

    assert abs(row_nll(model, leaking) - row_nll(model, row)) > 1e-3
