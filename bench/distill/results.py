"""The results of finished runs: one line of JSON each, appended when a run has ended."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from bench.distill.plan import Run
from bench.distill.score import Score
from bench.proxy.failure import BenchFailure


class Trained(msgspec.Struct, kw_only=True, frozen=True):
    """What the training cost, as `nightschool train --json` says."""

    examples: int
    seconds: float
    tokens_per_s: float
    best_loss: float | None = None
    precision: str = "float32"
    """Of the base model: that of the machine, unless the run sets it."""


class Result(msgspec.Struct, kw_only=True, frozen=True):
    """Of one run; scores by the name of the held-out set."""

    key: str
    name: str
    run: Run
    ended: str
    answers: dict[str, Score]
    """Of the student, or of the base model."""
    teacher: dict[str, Score]
    trained: Trained | None = None
    generation_s: float = 0.0


def read_results(path: Path) -> dict[str, Result]:
    """By key; of several the last. A line cut off by a kill is passed over, whatever else is wrong is told."""
    if not path.exists():
        return {}
    found: dict[str, Result] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            if line:
                result = msgspec.json.decode(line, type=Result)
                found[result.key] = result
        except msgspec.DecodeError as error:
            if number < len(lines):
                raise BenchFailure(f"{path}, line {number}: {error}; mend it or delete it") from error
    return found


def add_result(path: Path, result: Result) -> None:
    """Append a line; a piece of one that a kill left behind is cut off first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.exists() else b""
    whole = before.rfind(b"\n") + 1
    with path.open("r+b" if before else "wb") as file:
        file.truncate(whole)
        file.seek(whole)
        file.write(msgspec.json.encode(result) + b"\n")
        file.flush()
        os.fsync(file.fileno())
