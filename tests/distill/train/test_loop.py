"""The loop: learning, going on, stopping."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor

from distill.train.checkpoint import Standing, read_checkpoint
from distill.train.loop import Trainer, TrainingDiverged, validation_loss
from distill.train.lora import set_weights, weights_of
from distill.train.order import Order
from distill.train.points import Point
from distill.train.settings import TrainSettings
from distill.train.team import Team
from tests.distill.train.school import PLAIN, task

LONG = msgspec.structs.replace(PLAIN, epochs=10, patience=40)
DROPPING = msgspec.structs.replace(PLAIN, dropout=0.1)


class Killed(Exception):
    """Stands for a process that ends here."""


def run(
    folder: Path, settings: TrainSettings = DROPPING, *, killed_at: int | None = None, every_s: float = 0.0
) -> tuple[Standing, dict[str, Tensor]]:
    """Train in this process, to the end or to its death after a step."""

    def watch(point: Point, _: Order) -> None:
        if point.step == killed_at:
            raise Killed

    folder.mkdir(exist_ok=True)
    job = task(settings)
    standing = Trainer(job, folder, Team(), watch=watch, checkpoint_every_s=every_s).train()
    return standing, weights_of(job.model)


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def losses(standing: Standing) -> list[tuple[float, float | None]]:
    return [(point.train_loss, point.validation_loss) for point in standing.points]


def test_it_learns(tmp_path: Path) -> None:
    standing, _ = run(tmp_path, LONG)

    assert standing.points[-1].train_loss < 0.8 * standing.points[0].train_loss
    assert standing.best_loss is not None
    assert standing.best_loss < next(point.validation_loss for point in standing.points if point.validation_loss)


def test_killed_after_any_step_and_begun_again_it_comes_to_the_same_bits(tmp_path: Path) -> None:
    undisturbed, weights = run(tmp_path / "undisturbed")
    steps = len(undisturbed.points)
    assert steps == 6

    for step in range(1, steps + 1):
        folder = tmp_path / f"killed-{step}"
        with pytest.raises(Killed):
            run(folder, killed_at=step)

        again, weights_again = run(folder)

        assert losses(again) == losses(undisturbed)
        assert same(weights, weights_again)


def test_what_came_after_the_last_checkpoint_is_done_again(tmp_path: Path) -> None:
    undisturbed, weights = run(tmp_path / "undisturbed")
    folder = tmp_path / "killed"
    with pytest.raises(Killed):
        run(folder, killed_at=2)
    assert (found := read_checkpoint(folder)) is not None
    assert found.standing.step == 1
    with pytest.raises(Killed):
        run(folder, killed_at=5, every_s=3600)

    again, weights_again = run(folder)

    assert losses(again) == losses(undisturbed)
    assert same(weights, weights_again)


def test_without_a_gain_it_stops_and_keeps_the_best(tmp_path: Path) -> None:
    """A rate that is far too high makes things worse from the first look on."""
    settings = msgspec.structs.replace(PLAIN, epochs=20, learning_rate=0.09, patience=2)

    standing, weights = run(tmp_path, settings)

    assert standing.step < 20 * 3
    assert standing.looks_without_gain == 2
    looks = {point.step: point.validation_loss for point in standing.points if point.validation_loss is not None}
    assert standing.best_loss == min(looks.values()) == looks[standing.best_step]
    job = task(settings)
    set_weights(job.model, weights)
    assert validation_loss(job, Team()) == pytest.approx(standing.best_loss, rel=1e-6)


def test_without_a_validation_side_the_last_step_is_kept(tmp_path: Path) -> None:
    job = task(PLAIN, validation=0)

    standing = Trainer(job, tmp_path, Team(), watch=lambda *_: None).train()

    assert (standing.best_step, standing.best_loss) == (standing.step, None) == (6, None)


def test_a_loss_that_is_no_number_ends_the_training_with_what_to_do(tmp_path: Path) -> None:
    job = task(PLAIN)
    with torch.no_grad():
        next(iter(job.model.parameters())).fill_(float("inf"))

    with pytest.raises(TrainingDiverged, match=r"loss of step 1 is nan\n  try: set a lower `learning_rate`"):
        Trainer(job, tmp_path, Team(), watch=lambda *_: None).train()


def test_gradient_checkpointing_changes_nothing_but_memory(tmp_path: Path) -> None:
    plain, weights = run(tmp_path / "plain", PLAIN)
    saving, weights_saving = run(tmp_path / "saving", msgspec.structs.replace(PLAIN, gradient_checkpointing=True))

    assert losses(plain) == losses(saving)
    assert same(weights, weights_saving)


def test_bfloat16_learns_too(tmp_path: Path) -> None:
    standing, weights = run(tmp_path, msgspec.structs.replace(LONG, precision="bfloat16"))

    assert standing.points[-1].train_loss < 0.8 * standing.points[0].train_loss
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
