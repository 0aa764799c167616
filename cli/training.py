"""A training run on the screen: what it will do and why, how far it is, what it came to."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.screen import Column, table_that_fits

if TYPE_CHECKING:
    from distill.train.order import Order
    from distill.train.points import Point
    from distill.train.run import Started, Trained

_ENVIRONMENT = {
    # A thread that has done its part sleeps until the others have. To spin instead costs three times the processor, and
    # twice the time, where the proxy, an engine or anything else wants the same cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TQDM_DISABLE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_RATE_STEPS = 20
"""Tokens per second are those of the last so many steps."""


def prepare_libraries() -> None:
    """Ask the libraries of training to keep to themselves and to share the processor; they look when they are imported.

    Whoever has set their variables keeps what was set.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


class TrainingScreen:
    """Speaks on stderr: a bar where there is a terminal, a line per look at the validation side elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._bar.add_task("training", total=None, told="")
        self._marks: list[tuple[float, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, run: Started) -> None:
        say = self._say
        train, validation = run.train, run.validation
        say(f"dataset {run.dataset.name} of {run.dataset.workload}, base model {run.base}, on {run.device}")
        say(
            f"{len(train.kept):,} sequences with {train.learned_tokens:,} tokens to learn, "
            f"{len(validation.kept):,} to validate with"
        )
        if left_out := len(train.too_long) + len(validation.too_long):
            say(f"left out: {left_out:,} examples that are longer than max_tokens")
        say(f"memory: {run.memory}")
        columns = [Column("setting", 12), Column("value", 6), Column("from", 12)]
        rows = [[each.name, str(each.value), each.origin] for each in run.settings]
        self._console.print(table_that_fits(columns, rows, self._console.width))
        say(f"run {run.run}")
        if self._console.is_terminal:
            self._bar.start()

    def step(self, point: Point, order: Order) -> None:
        self._marks = [*self._marks[-_RATE_STEPS:], (time.monotonic(), point.tokens)]
        (began, before), (now, tokens) = self._marks[0], self._marks[-1]
        rate = (tokens - before) / (now - began) if now > began else 0.0
        told = f"loss {point.train_loss:.3f}  {rate:,.0f} tokens/s"
        self._bar.update(self._task, total=order.steps, completed=point.step, told=told)
        if point.validation_loss is not None:
            self._say(
                f"step {point.step:,} of {order.steps:,}, epoch {point.epoch:.2f}: "
                f"validation loss {point.validation_loss:.4f}, {rate:,.0f} tokens/s"
            )

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False)


def print_trained(data: Path, trained: Trained, *, as_json: bool) -> None:
    """The adapter; or, for scripts, its manifest with the folder and a few figures."""
    from nightschool.registry.adapters import folder_of

    manifest, folder = trained.adapter, folder_of(data, trained.adapter)
    outcome = manifest.outcome
    if as_json:
        told: dict[str, Any] = {
            "adapter": manifest.name,
            "folder": str(folder),
            "new": trained.new,
            "tokens_per_s": round(outcome.tokens / outcome.seconds, 1) if outcome.seconds else None,
            "seconds": outcome.seconds,
            "best_loss": outcome.best_loss,
            "manifest": msgspec.to_builtins(manifest),
        }
        print(msgspec.json.format(msgspec.json.encode(told), indent=1).decode())
        return
    loss = "" if outcome.best_loss is None else f", validation loss {outcome.best_loss:.4f}"
    made = "trained" if trained.new else "was trained before"
    print(f"{manifest.name} {made}: step {outcome.best_step:,} of {outcome.steps:,}{loss}")
    print(f"in {folder}")
    print(f"next: nightschool evaluate {manifest.workload}")
