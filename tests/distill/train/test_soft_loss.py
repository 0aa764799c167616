"""The loss with soft labels against a slow reckoning by hand."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.train.attention import Part
from distill.train.loop import Task, Trainer
from distill.train.lora import trained
from distill.train.loss import row_loss, row_nll, soft_costs
from distill.train.pack import Row, SoftTargets, rows_of
from distill.train.sequence import TokenSequence
from distill.train.soft import MOST, SoftLabels
from distill.train.team import Team
from tests.distill.train.school import CPU, PLAIN, lessons, sequence, tiny_model
from tests.formats.arbitrary import unhurried

VOCABULARY = 40
BEGINNINGS = [list(range(40)), list(range(20)) + list(range(60, 90)), [7]]


@st.composite
def distributions(draw: st.DrawFn, vocabulary: int = VOCABULARY) -> tuple[dict[int, float], float]:
    """Shares of some tokens, and the tail."""
    ids = draw(st.lists(st.integers(0, vocabulary - 1), min_size=1, max_size=MOST, unique=True))
    parts = [draw(st.floats(0.001, 1)) for _ in ids]
    tail = draw(st.sampled_from([0.0, 0.01, 0.5]))
    return {number: (1 - tail) * part / sum(parts) for number, part in zip(ids, parts, strict=True)}, tail


def labels_of(places: list[int], found: list[tuple[dict[int, float], float]]) -> SoftLabels:
    ids = np.array([[*shares, *[next(iter(shares))] * (MOST - len(shares))] for shares, _ in found], np.int32)
    shares = np.array([[*shares.values(), *[0.0] * (MOST - len(shares))] for shares, _ in found], np.float32)
    return SoftLabels(np.array(places, np.int32), ids, shares, np.array([tail for _, tail in found], np.float32))


def targets_of(found: list[tuple[dict[int, float], float]]) -> SoftTargets:
    labels = labels_of(list(range(len(found))), found)
    parts = (torch.from_numpy(part) for part in (labels.shares, labels.tail))
    return SoftTargets(torch.from_numpy(labels.places).long(), torch.from_numpy(labels.ids).long(), *parts)


def by_hand(logits: list[float], shares: dict[int, float], tail: float) -> float:
    whole = sum(math.exp(value) for value in logits)
    known = -sum(share * math.log(math.exp(logits[number]) / whole) for number, share in shares.items())
    rest = sum(math.exp(value) for number, value in enumerate(logits) if number not in shares)
    return known - tail * math.log(rest / whole)


@given(
    found=st.lists(distributions(), min_size=1, max_size=3),
    seed=st.integers(0, 1_000),
    scale=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_the_cost_is_the_cross_entropy_with_the_tail_as_one_outcome(
    found: list[tuple[dict[int, float], float]], seed: int, scale: float
) -> None:
    logits = torch.randn(len(found), VOCABULARY, generator=torch.Generator().manual_seed(seed)) * scale

    costs = soft_costs(logits, targets_of(found))

    expected = [by_hand(line.tolist(), *each) for line, each in zip(logits, found, strict=True)]
    assert costs.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_student_that_says_what_the_teacher_says_has_no_gradient() -> None:
    shares = {number: 0.9 / 4 for number in range(4)}
    logits = torch.full((1, 8), math.log(0.1 / 4))
    logits[0, :4] = math.log(0.9 / 4)
    logits.requires_grad_()

    soft_costs(logits, targets_of([(shares, 0.1)])).sum().backward()

    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize("sure", [20.0, 80.0, 1_000.0, 30_000.0])
def test_the_gradient_of_the_tail_is_finite_where_the_student_leaves_nothing_to_it(sure: float) -> None:
    logits = torch.zeros(1, VOCABULARY)
    logits[0, 3] = sure
    logits.requires_grad_()

    cost = soft_costs(logits, targets_of([({3: 0.9}, 0.1)])).sum()
    cost.backward()

    assert math.isfinite(float(cost.detach()))
    assert logits.grad is not None
    assert logits.grad[0, 3] == pytest.approx(0.1, abs=1e-3)  # the student is too sure by just as much
    assert float(logits.grad.sum()) == pytest.approx(0.0, abs=1e-5)


@st.composite
def sequences(draw: st.DrawFn) -> TokenSequence:
    """One answer or two, some of whose tokens have soft labels."""
    ids = [*draw(st.sampled_from(BEGINNINGS)), *draw(st.lists(st.integers(0, 255), min_size=2, max_size=20))]
    cuts = sorted(draw(st.lists(st.integers(1, len(ids)), min_size=2, max_size=4, unique=True)))
    learned = [(cuts[0], cuts[1])] + ([(cuts[2], cuts[3])] if len(cuts) == 4 else [])
    made = sequence(ids, *learned, weight=draw(st.sampled_from([0.25, 1.0])))
    places = sorted(draw(st.sets(st.integers(0, made.learned_tokens - 1))))
    if not places:
        return made
    soft = labels_of(places, [draw(distributions(256)) for _ in places])
    return TokenSequence(made.example, made.ids, made.learned, made.weight, soft)


batches = st.lists(sequences(), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def model() -> Any:
    """LoRA begins with zeros, which would hide gradients; float64, so that only the order of sums is left to differ."""
    model = tiny_model().double()
    torch.manual_seed(3)
    with torch.no_grad():
        for _, parameter in trained(model):
            parameter.copy_(torch.randn_like(parameter) * 0.2)
    return model


def loss_and_gradients(model: Any, rows: list[Row], share: float) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = sum((row_loss(model, row, share) for row in rows), torch.zeros(()))
    loss.backward()
    return float(loss.detach()), {name: value.grad.clone() for name, value in trained(model) if value.grad is not None}


def slow_loss(model: Any, batch: list[TokenSequence], share: float) -> float:
    """Token by token, each sequence alone and unpacked."""
    total = 0.0
    for each in batch:
        with torch.no_grad():
            whole = [Part(len(each.ids), (0,), None)]
            logits = model(input_ids=torch.tensor([each.ids]), parts=whole).logits[0].tolist()
        soft = {} if each.soft is None else {int(place): line for line, place in enumerate(each.soft.places)}
        learned = [place for begin, end in each.learned for place in range(begin, end)]
        for number, place in enumerate(learned):
            line = logits[place - 1]
            cost = by_hand(line, {each.ids[place]: 1.0}, 0.0)
            if number in soft and each.soft is not None:
                at = soft[number]
                pairs = zip(each.soft.ids[at].tolist(), each.soft.shares[at].tolist(), strict=True)
                shares = {number: value for number, value in pairs if value > 0}
                cost = (1 - share) * cost + share * by_hand(line, shares, float(each.soft.tail[at]))
            total += each.weight * cost
    return total


@unhurried
@given(batch=batches, share=st.sampled_from([0.25, 0.5, 1.0]))
def test_a_row_costs_what_its_tokens_cost_one_by_one(model: Any, batch: list[TokenSequence], share: float) -> None:
    loss, _ = loss_and_gradients(model, rows_of(batch, 1_000), share)

    assert loss == pytest.approx(slow_loss(model, batch, share), rel=1e-5, abs=1e-6)


@unhurried
@given(batch=batches)
def test_packed_loss_and_gradients_are_those_of_each_alone(model: Any, batch: list[TokenSequence]) -> None:
    alone_loss, alone = loss_and_gradients(model, [row for each in batch for row in rows_of([each], 1)], 0.5)

    packed_loss, packed = loss_and_gradients(model, rows_of(batch, 1_000), 0.5)

    assert packed_loss == pytest.approx(alone_loss, rel=1e-9)
    for name, gradient in alone.items():
        assert (packed[name] - gradient).norm() <= 1e-6 * gradient.norm() + 1e-9, name


@unhurried
@given(batch=batches)
def test_the_validation_loss_is_that_of_hard_labels(model: Any, batch: list[TokenSequence]) -> None:
    hard = [TokenSequence(each.example, each.ids, each.learned, each.weight) for each in batch]

    assert [row_nll(model, row) for row in rows_of(batch, 500)] == [row_nll(model, row) for row in rows_of(hard, 500)]


def with_soft(each: TokenSequence, other: int) -> TokenSequence:
    """The teacher was sure of all but the first token, where it nearly said another one."""
    (begin, _), *_ = each.learned
    labels = labels_of([0], [({each.ids[begin]: 0.55, other: 0.4}, 0.05)])
    return TokenSequence(each.example, each.ids, each.learned, each.weight, labels)


def test_a_student_learns_what_its_teacher_nearly_said(tmp_path: Any) -> None:
    costs = {}
    for name in ("on", "off"):
        settings = msgspec.structs.replace(PLAIN, epochs=8, soft_labels=name, soft_share=0.5)
        softly = [with_soft(each, other=200) for each in lessons(12)]
        task = Task(tiny_model(settings), settings, softly if name == "on" else lessons(12), [])
        Trainer(task, tmp_path / name, Team(), watch=lambda _point, _order: None).train()
        task.model.eval()
        with torch.no_grad():
            costs[name] = sum(float(row_loss(task.model, row.to(CPU), 1.0)) for row in rows_of(softly, 500))
    assert costs["on"] < 0.9 * costs["off"]
