"""Trains the workload of a folder; for tests that kill it: ``python -m tests.distill.train.crash_driver FOLDER MODEL``.

Prints the adapter's name. A checkpoint is written after every step.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from distill.train.run import Wanted, train
from nightschool.config import Distill

LESSON = Distill(min_examples=1, epochs=4, learning_rate=0.01, rank=8, batch_examples=4, validations_per_epoch=2)


def learn(folder: Path, model: str, tell: Callable[[str], None]) -> None:
    """Tells that it has started, and at the end the adapter's name."""
    trained = train(folder, Wanted("w", model, LESSON), started=lambda _: tell("started"), checkpoint_every_s=0.0)
    tell(trained.adapter.name)


def main() -> None:
    learn(Path(sys.argv[1]), sys.argv[2], partial(print, flush=True))


if __name__ == "__main__":
    main()
