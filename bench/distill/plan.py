"""Which runs there are, in the order in which they are made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from typing import Any, Literal, NamedTuple

import msgspec

TaskName = Literal["presidio", "made", "banking77"]
VERSION = 1
"""Goes up when the traffic or the scoring change: results from before are then no longer looked at."""

QUICK_ROWS = 40
QUICK_SCORED = 8


class Run(msgspec.Struct, kw_only=True, frozen=True):
    """Everything that decides what comes out of a run."""

    task: TaskName
    student: bool = True
    """False: the untuned base model answers, and nothing is trained."""
    rows: int | None = None
    """So many of the task's exchanges are recorded; None for all there are."""
    wrong_types: float = 0.0
    dropped: float = 0.0
    labelled: float = 0.0
    """Share of the exchanges for which the truth is imported as a label."""
    seed: int = 1
    """Of the teacher's noise and of the training."""
    training: dict[str, Any] = {}
    """`distill:` of the workload, but for the seed."""
    scored: int = 100
    """Rows of each held-out set that are answered."""

    @property
    def key(self) -> str:
        """Of its result."""
        return hashlib.sha256(msgspec.json.encode([VERSION, self], order="sorted")).hexdigest()[:12]


class Planned(NamedTuple):
    """A run under its name."""

    name: str
    run: Run


_ALL: dict[str, Any] = {"learning_rate": 1e-3, "rank": 16, "dropout": 0, "row_tokens": 2_048}
RECIPE: dict[TaskName, dict[str, Any]] = {
    "presidio": {**_ALL, "epochs": 3, "batch_examples": 8},
    "made": {**_ALL, "epochs": 1, "batch_examples": 8},
    "banking77": {**_ALL, "epochs": 2, "batch_examples": 16},
}


def runs() -> tuple[Planned, ...]:
    """All of them."""
    return tuple(Planned(name, run) for name, run in _runs())


def _runs() -> Iterator[tuple[str, Run]]:
    def presidio(**told: Any) -> Run:
        return Run(task="presidio", training=RECIPE["presidio"], **told)

    types, dropped = {"wrong_types": 0.3}, {"dropped": 0.3}
    yield "presidio-labels-all", presidio(**types, labelled=1.0)
    yield "presidio-types-1", presidio(**types)
    yield "made", Run(task="made", wrong_types=0.14, dropped=0.15, training=RECIPE["made"])
    yield "banking77", Run(task="banking77", rows=2_000, training=RECIPE["banking77"], scored=500)
    yield "banking77-base", Run(task="banking77", student=False, scored=500)
    yield "presidio-base", Run(task="presidio", student=False)
    yield "made-base", Run(task="made", student=False)
    yield "presidio-omissions", presidio(**dropped)
    yield "presidio-types-labels-fifth", presidio(**types, labelled=0.2)
    yield "presidio-omissions-labels-fifth", presidio(**dropped, labelled=0.2)
    yield "presidio-types-250", presidio(**types, rows=250)
    yield "presidio-types-500", presidio(**types, rows=500)
    yield "presidio-types-2", presidio(**types, seed=2)
    yield "presidio-types-3", presidio(**types, seed=3)


def chosen(planned: Iterable[Planned], only: list[str], changed: dict[str, Any], *, quick: bool) -> list[Planned]:
    """Those whose names match one of ``only`` (all without any), each with the changes that the command asks for."""
    picked = [each for each in planned if not only or any(fnmatch(each.name, pattern) for pattern in only)]
    return [_changed(each, changed, quick=quick) for each in picked]


def _changed(planned: Planned, changed: dict[str, Any], *, quick: bool) -> Planned:
    name, run = planned
    if changed and run.student:
        name += "".join(f" {setting}={value}" for setting, value in changed.items())
        run = msgspec.structs.replace(run, training={**run.training, **changed})
    if quick:
        name += " (quick)"
        epochs = {**run.training, "epochs": 1} if run.student else {}
        run = msgspec.structs.replace(run, rows=QUICK_ROWS, scored=QUICK_SCORED, training=epochs)
    return Planned(name, run)
