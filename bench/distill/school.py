"""A task -> an adapter, by the commands that a user has: `labels import`, `dataset build`, `train`."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.distill.plan import Run
from bench.distill.redaction import SEED
from bench.distill.results import Trained
from bench.distill.task import Case, Task
from bench.distill.traffic import CONFIG, PROGRAM, record, recorded_ids
from bench.proxy.failure import BenchFailure

DATASET = "dataset.json"
DATASET_SETTINGS = {"min_examples": 1, "test_share": 0.01}
"""What is scored is held out before anything is recorded, so nearly all that is recorded is to be learned from."""


def teach(task: Task, run: Run, folder: Path, *, threads: int) -> tuple[Path, Trained]:
    """The adapter's folder. What a killed attempt has finished is not done again: the training goes on where it was."""
    if not (folder / DATASET).exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        record(task, folder, {**DATASET_SETTINGS, **run.training, "seed": run.seed})
        _label(task, run.labelled, folder)
        manifest = nightschool(folder, "dataset", "build", task.workload, "--json")
        (folder / DATASET).write_text(json.dumps(manifest))
    trained = nightschool(folder, "train", task.workload, "--json", threads=threads)
    manifest = json.loads((folder / DATASET).read_text())
    return Path(trained["folder"]), Trained(
        examples=manifest["sides"]["train"]["examples"],
        seconds=trained["seconds"],
        tokens_per_s=trained["tokens_per_s"],
        best_loss=trained.get("best_loss"),
        precision=next(each["value"] for each in trained["manifest"]["settings"] if each["name"] == "precision"),
    )


def nightschool(folder: Path, *arguments: str, threads: int = 1) -> dict[str, Any]:
    """Run a command in a run's folder; what it prints as JSON. Its standard error is kept in a file beside."""
    command = [PROGRAM, *arguments, "--config", str(folder / CONFIG)]
    log = folder / f"{arguments[0]}.log"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    with log.open("ab") as errors:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BenchFailure(f"nightschool {' '.join(arguments)} ended with status {done.returncode}:\n{tail}")
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def _label(task: Task, share: float, folder: Path) -> None:
    """Import the truth of a share of the exchanges, drawn at random but always alike."""
    drawn = random.Random(SEED).sample(task.traffic, round(share * len(task.traffic)))
    if not drawn:
        return
    ids = recorded_ids(folder)
    file = folder / "labels.jsonl"
    file.write_text("".join(json.dumps(_line(ids[case.asked], case)) + "\n" for case in drawn))
    imported = nightschool(folder, "labels", "import", str(file), "--json")
    if imported["labels"] != len(drawn):
        raise BenchFailure(f"{len(drawn)} labels were given, and {imported['labels']} imported")


def _line(identity: str, case: Case) -> dict[str, Any]:
    return {"id": identity, "message": dict(case.truth), "author": "bench", "source": "truth"}
