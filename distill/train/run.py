"""One training run: a dataset, a base model and settings -> an adapter in the data folder.

    find dataset and base -> settle -> read -> check memory -> train -> publish

A run is named by everything that decides its result. The same command again finds the adapter, or goes on from the
last checkpoint of a run that was killed, and comes to the same weights.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from distill.dataset.snapshot import DatasetManifest, find, folder_of
from distill.room import room_on_the_disk
from distill.train.base import Base, find_base, load_weights
from distill.train.card import card_of
from distill.train.checkpoint import Standing
from distill.train.circumstances import circumstances_of
from distill.train.curve import curve_png
from distill.train.deterministic import deterministic
from distill.train.loop import Task, Tell, Trainer, Watch
from distill.train.lora import adapter_files, add_lora, lora_parameters
from distill.train.memory import check_memory, needed_bytes
from distill.train.points import curve_csv
from distill.train.progress import LOCK, Progress, ProgressFile
from distill.train.read import Sequences, read_side
from distill.train.sequence import Writer
from distill.train.settings import Decided, TrainSettings, settle
from distill.train.team import Team
from nightschool.config import Distill
from nightschool.errors import NightschoolError, StoreBusy
from nightschool.registry.adapters import CARD, CONFIG, WEIGHTS, content_hash, find_adapter, name_of, publish
from nightschool.registry.manifest import AdapterManifest, Outcome, Setting, Source
from nightschool.store.durable import make_folder, new_file
from nightschool.store.lock import lock_at_once

_LIBRARIES = ("torch", "transformers", "peft")
_FINISHED = "finished.json"
_PATIENCE_S = 0.2
"""With the run's lock: somebody may only be looking whether it is held."""


class NothingToLearn(NightschoolError):
    """No example of the dataset fits into the student's window."""


class Started(NamedTuple):
    """What is known before the first step, for whoever watches."""

    run: str
    dataset: DatasetManifest
    base: str
    settings: list[Decided]
    train: Sequences
    validation: Sequences
    memory: str
    device: str


class Trained(NamedTuple):
    """The adapter, and whether this call has made it."""

    adapter: AdapterManifest
    new: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line and the configuration ask for."""

    workload: str
    base_model: str
    distill: Distill
    dataset: str | None = None
    """Name of a dataset, or a piece of it; None for the newest."""


def train(
    data: Path,
    wanted: Wanted,
    *,
    started: Callable[[Started], object] = lambda _: None,
    watch: Watch = lambda _point, _order: None,
    checkpoint_every_s: float | None = None,
) -> Trained:
    """Train, or go on with it, or find what was trained before; raises before anything takes long."""
    dataset = find(data, wanted.workload, wanted.dataset)
    team = Team()
    with team.leader_first():
        base = find_base(wanted.base_model, data / "models")
    train_file = folder_of(data, dataset) / "train.parquet"
    now = circumstances_of(dataset, train_file, base, team.device, wanted.distill)
    settings, decided = settle(wanted.distill, now)
    run = _name_of_run(dataset, base, settings)
    folder = data / "runs" / run
    make_folder(folder)
    with _held(folder, team), room_on_the_disk(folder, "the training stopped", _MAKE_ROOM):
        if (known := _finished(data, folder, wanted.workload)) is not None:
            return Trained(known, new=False)
        sides = _read(folder_of(data, dataset), base, settings, wanted.workload)
        memory = check_memory(_needed_bytes(base, settings, sides), team.device, settings)
        if team.leads:
            started(Started(run, dataset, base.name, decided, *sides, memory, str(team.device)))
        with deterministic(team.device):
            model = load_weights(
                base, precision=settings.precision, load_in_4bit=settings.load_in_4bit, device=team.device
            )
            model = add_lora(model, base, settings)
            task = Task(model, settings, sides[0].kept, sides[1].kept)
            with _told(folder, team, dataset, base) as tell:
                trainer = Trainer(task, folder, team, watch=watch, tell=tell, checkpoint_every_s=checkpoint_every_s)
                standing = trainer.train()
        manifest = _publish(data, run, dataset, base, decided, sides, task, standing, team)
        return Trained(manifest, new=True)


_MAKE_ROOM = "make room, and give the same command again: it goes on from the last checkpoint"


@contextmanager
def _held(folder: Path, team: Team) -> Iterator[None]:
    """The run's lock, which the leader holds for all."""
    if not team.leads:
        yield
        return
    with lock_at_once(folder / LOCK, patience_s=_PATIENCE_S) as held:
        if not held:
            raise StoreBusy(f"the run {folder.name} is being trained by another process", remedy="wait for its end")
        yield


@contextmanager
def _told(folder: Path, team: Team, dataset: DatasetManifest, base: Base) -> Iterator[Tell]:
    """What tells others how far the training is; however it ends but by a kill, nothing is told afterwards."""
    if not team.leads:
        yield lambda _points, _steps: None
        return
    about = Progress(
        workload=dataset.workload,
        dataset=dataset.name,
        base_model=base.name,
        run=folder.name,
        device=str(team.device),
    )
    progress = ProgressFile(folder, about)
    try:
        yield progress.tell
    finally:
        progress.remove()


def _name_of_run(dataset: DatasetManifest, base: Base, settings: TrainSettings) -> str:
    """The workload, and a hash over everything that decides the result."""
    parts = [dataset.hash, base.name, base.revision, base.format.template_hash, settings, _versions()]
    return name_of(dataset.workload, hashlib.sha256(msgspec.json.encode(parts)).hexdigest())


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("nightschool", *_LIBRARIES)}


def _finished(data: Path, folder: Path, workload: str) -> AdapterManifest | None:
    """The adapter that this run has come to, if it has, and if it is still there."""
    try:
        name = json.loads((folder / _FINISHED).read_bytes())["adapter"]
        return find_adapter(data, workload, name)
    except (FileNotFoundError, ValueError, NightschoolError):
        return None


def _read(folder: Path, base: Base, settings: TrainSettings, workload: str) -> tuple[Sequences, Sequences]:
    plain = Writer(base.format, base.encode, base.end_of_turn)
    softly = replace(plain, vocabulary=base.vocabulary()) if settings.soft_labels == "on" else plain
    train, validation = (
        read_side(folder / f"{side}.parquet", writer, settings.max_tokens)
        for side, writer in (("train", softly), ("validation", plain))
    )
    if not train.kept:
        raise NothingToLearn(
            f"none of the {len(train.too_long):,} training examples of {workload} fits into {settings.max_tokens:,} "
            "tokens",
            remedy="raise `max_tokens` under `distill:`, if the base model's window allows it",
        )
    return train, validation


def _needed_bytes(base: Base, settings: TrainSettings, sides: tuple[Sequences, Sequences]) -> float:
    longest = max(len(sequence.ids) for side in sides for sequence in side.kept)
    return needed_bytes(
        base.config,
        base.parameters,
        lora_parameters(base.config, settings.rank),
        settings,
        row_tokens=max(longest, settings.row_tokens),
    )


def _publish(
    data: Path,
    run: str,
    dataset: DatasetManifest,
    base: Base,
    decided: list[Decided],
    sides: tuple[Sequences, Sequences],
    task: Task,
    standing: Standing,
    team: Team,
) -> AdapterManifest:
    weights, config = adapter_files(task.model)
    digest = content_hash(weights, config)
    manifest = AdapterManifest(
        name=name_of(dataset.workload, digest),
        workload=dataset.workload,
        hash=digest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        base_model=base.name,
        base_revision=base.revision,
        format=base.format.name,
        template_hash=base.format.template_hash,
        run=run,
        dataset=Source(
            name=dataset.name,
            hash=dataset.hash,
            sequences=len(sides[0].kept),
            learned_tokens=sides[0].learned_tokens,
            too_long=sum(len(side.too_long) for side in sides),
        ),
        settings=tuple(Setting(*each) for each in decided),
        outcome=Outcome(
            steps=task.order.steps,
            best_step=standing.best_step,
            best_loss=standing.best_loss,
            tokens=standing.tokens,
            seconds=round(standing.seconds, 1),
            stopped_early=standing.step < task.order.steps,
        ),
        versions=_versions(),
        files={},
    )
    if team.leads:
        manifest = publish(data, manifest, _files(manifest, standing, weights, config))
        _finish(data / "runs" / run, manifest)
    team.wait()
    return manifest


def _files(manifest: AdapterManifest, standing: Standing, weights: bytes, config: bytes) -> dict[str, bytes]:
    return {
        WEIGHTS: weights,
        CONFIG: config,
        CARD: card_of(manifest).encode(),
        "curve.csv": curve_csv(standing.points).encode(),
        "curve.png": curve_png(standing.points, manifest.workload, standing.best_step),
    }


def _finish(folder: Path, manifest: AdapterManifest) -> None:
    """Say what the run has come to, and leave nothing else of it."""
    with new_file(folder / _FINISHED) as file:
        file.write(json.dumps({"adapter": manifest.name}).encode())
    for path in folder.iterdir():
        if path.name not in (_FINISHED, LOCK):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
