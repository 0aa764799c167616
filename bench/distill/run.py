"""One run, from traffic to scores."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from bench.distill import redaction
from bench.distill.answers import ask
from bench.distill.banking import banking77
from bench.distill.plan import Planned, Run
from bench.distill.results import Result
from bench.distill.school import teach
from bench.distill.score import score
from bench.distill.task import Task
from bench.proxy.failure import BenchFailure
from demo.engine import MODEL_FOLDER


def measure(planned: Planned, work: Path, *, threads: int) -> Result:
    """Train unless the base model is to answer, let it answer every held-out case, and compare with the truth."""
    if not MODEL_FOLDER.exists():
        raise BenchFailure(f"there is no model: {MODEL_FOLDER} does not exist; try `make model`")
    run, folder = planned.run, work / planned.run.key
    task = task_of(run)
    adapter, trained = teach(task, run, folder, threads=threads) if run.student else (None, None)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    cases = [case for held in task.held_out.values() for case in held]
    answers = iter(ask(cases, folder, adapter=adapter, most_tokens=task.most_tokens, threads=threads))
    said = {name: [next(answers) for _ in held] for name, held in task.held_out.items()}
    return Result(
        key=run.key,
        name=planned.name,
        run=run,
        ended=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        answers={name: score(said[name], held, task.judge) for name, held in task.held_out.items()},
        teacher={name: score([case.told for case in held], held, task.judge) for name, held in task.held_out.items()},
        trained=trained,
        generation_s=round(time.monotonic() - begun, 1),
    )


def task_of(run: Run) -> Task:
    """The task that a run is about."""
    match run.task:
        case "presidio":
            return redaction.presidio(run)
        case "made":
            return redaction.made(run)
        case "banking77":
            return banking77(run)
