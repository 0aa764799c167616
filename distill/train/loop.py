"""The training loop: steps, looks at the validation side, checkpoints, and when to stop.

    batch -> rows -> loss of each, gradients add up -> clip -> AdamW -> (look) -> (checkpoint)

Straight on from wherever a checkpoint says; the order of batches, the learning rate and the random state are functions
of the step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from distill.train.checkpoint import (
    Checkpoint,
    Standing,
    random_state,
    read_checkpoint,
    set_random_state,
    write_checkpoint,
)
from distill.train.lora import set_weights, trained, weights_of
from distill.train.loss import row_loss, row_nll
from distill.train.optimizer import moments_of, optimizer_for, set_moments
from distill.train.order import Order
from distill.train.pack import rows_of
from distill.train.points import Point
from distill.train.schedule import rate_share
from distill.train.sequence import TokenSequence
from distill.train.settings import LARGEST_GRADIENT, TrainSettings
from distill.train.team import Team
from nightschool.errors import NightschoolError

CHECKPOINT_EVERY_S = 60.0


class TrainingDiverged(NightschoolError):
    """The loss is no number any more."""


Watch = Callable[[Point, Order], object]
"""Hears of every finished step."""
Tell = Callable[[Sequence[Point], int], object]
"""Hears of all points so far and the number of steps: before the first step, and after each."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained, on what."""

    model: Any
    settings: TrainSettings
    train: Sequence[TokenSequence]
    validation: Sequence[TokenSequence]

    @property
    def order(self) -> Order:
        settings = self.settings
        return Order(len(self.train), settings.batch_examples, settings.epochs, settings.seed)


class Trainer:
    """One run in this process; ``train`` it once."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        team: Team,
        *,
        watch: Watch,
        tell: Tell = lambda _points, _steps: None,
        checkpoint_every_s: float | None = None,
    ) -> None:
        self._task = task
        self._folder = folder
        self._team = team
        self._watch, self._tell = watch, tell
        self._checkpoint_every_s = CHECKPOINT_EVERY_S if checkpoint_every_s is None else checkpoint_every_s
        self._parameters = [parameter for _, parameter in trained(task.model)]
        self._optimizer = optimizer_for(task.model, task.settings)
        self._standing = Standing()
        self._best = weights_of(task.model)
        self._seconds_before = 0.0
        self._began = time.monotonic()

    def train(self) -> Standing:
        """Train to the end, from where the folder's checkpoint stands, and leave the best weights in the model."""
        task, standing = self._task, self._resume()
        order, looks = task.order, task.order.looks(task.settings.validations_per_epoch)
        task.model.train()
        self._tell(standing.points, order.steps)
        written_at = time.monotonic()
        while standing.step < order.steps and standing.looks_without_gain < task.settings.patience:
            loss, tokens, rate = self._step(standing.step, order)
            number = standing.step + 1
            validation = self._look(number) if number in looks else None
            seconds = self._seconds_before + time.monotonic() - self._began
            point = Point(
                number, number / order.steps_per_epoch, standing.tokens + tokens, seconds, rate, loss, validation
            )
            standing.points.append(point)
            self._watch(point, order)
            self._tell(standing.points, order.steps)
            if time.monotonic() - written_at >= self._checkpoint_every_s:
                self._write()
                written_at = time.monotonic()
        self._write()
        set_weights(task.model, self._best)
        return standing

    def _step(self, step: int, order: Order) -> tuple[float, int, float]:
        """One update; returns the loss per learned token, the tokens of the batch, and the learning rate."""
        task = self._task
        batch = [task.train[index] for index in order.of_step(step)]
        total = sum(sequence.weight * sequence.learned_tokens for sequence in batch)
        loss = 0.0
        for row in self._team.share(rows_of(batch, task.settings.row_tokens)):
            cost = row_loss(task.model, row.to(self._team.device), task.settings.soft_share) / total
            cost.backward()
            loss += float(cost.detach())
        loss = self._team.sum(loss)
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"the loss of step {step + 1} is {loss}",
                remedy="set a lower `learning_rate` under `distill:`, or `precision: float32`",
            )
        self._team.sum_gradients(self._parameters)
        torch.nn.utils.clip_grad_norm_(self._parameters, LARGEST_GRADIENT)
        rate = task.settings.learning_rate * rate_share(step, order.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss, sum(len(sequence.ids) for sequence in batch), rate

    def _look(self, number: int) -> float | None:
        """The loss on the validation side; keeps the best weights. Without a validation side the latest are the best.

        Nats per learned token; every example counts alike.
        """
        standing = self._standing
        loss = validation_loss(self._task, self._team)
        if loss is None or standing.best_loss is None or loss < standing.best_loss:
            standing.best_loss, standing.best_step, standing.looks_without_gain = loss, number, 0
            self._best = weights_of(self._task.model)
        else:
            standing.looks_without_gain += 1
        return loss

    def _resume(self) -> Standing:
        found = read_checkpoint(self._folder)
        if found is not None:
            set_weights(self._task.model, found.weights)
            set_moments(self._task.model, self._optimizer, found.moments)
            set_random_state(found.random)
            self._best, self._standing = found.best, found.standing
            self._seconds_before = found.standing.seconds
        self._began = time.monotonic()
        return self._standing

    def _write(self) -> None:
        if self._team.leads:
            model = self._task.model
            write_checkpoint(
                self._folder,
                Checkpoint(
                    standing=self._standing,
                    weights=weights_of(model),
                    best=self._best,
                    moments=moments_of(model, self._optimizer),
                    random=random_state(),
                ),
            )


def validation_loss(task: Task, team: Team) -> float | None:
    """Nats per learned token of the validation side; None where it is empty."""
    if not task.validation:
        return None
    task.model.eval()
    rows = rows_of(task.validation, task.settings.row_tokens)
    total = team.sum(sum(row_nll(task.model, row.to(team.device)) for row in team.share(rows)))
    task.model.train()
    return total / sum(sequence.learned_tokens for sequence in task.validation)
