"""Which sequences are in which step: a pure function of the seed, so that a run can go on anywhere."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """Every sequence once per epoch, each epoch in an order of its own."""

    sequences: int
    batch: int
    """Sequences per step; the last step of an epoch may have fewer."""
    epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.sequences / self.batch)

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.epochs

    def of_step(self, step: int) -> list[int]:
        """Indices of the sequences of one step, steps counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = list(range(self.sequences))
        random.Random(f"{self.seed} {epoch}").shuffle(order)
        return order[place * self.batch : (place + 1) * self.batch]

    def looks(self, per_epoch: int) -> frozenset[int]:
        """Numbers of finished steps after which the validation side is looked at: ``per_epoch`` times, and at the end.

        Evenly spread over each epoch.
        """
        per_epoch = min(per_epoch, self.steps_per_epoch)
        places = [math.ceil(self.steps_per_epoch * part / per_epoch) for part in range(1, per_epoch + 1)]
        return frozenset(self.steps_per_epoch * epoch + place for epoch in range(self.epochs) for place in places)
