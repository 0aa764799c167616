"""A tiny model, a few sequences, and runs of a moment."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch

from demo.tiny_model import make_tiny_model
from distill.dataset.settings import Settings
from distill.train.base import Base, find_base, load_weights
from distill.train.loop import Task
from distill.train.lora import add_lora
from distill.train.run import Trained, Wanted, train
from distill.train.sequence import TokenSequence, Writer
from distill.train.settings import TrainSettings
from nightschool.config import Distill
from tests.distill.dataset.traffic import asked, built, file, says, user

CPU = torch.device("cpu")
PLAIN = TrainSettings(
    epochs=2,
    learning_rate=0.01,
    rank=8,
    alpha=32,
    dropout=0.0,
    batch_examples=4,
    max_tokens=512,
    row_tokens=256,
    precision="float32",
    load_in_4bit=False,
    gradient_checkpointing=False,
    validations_per_epoch=2,
    patience=4,
    seed=1,
)
QUICK = Distill(min_examples=1, epochs=2, learning_rate=0.01, rank=8, batch_examples=4, validations_per_epoch=2)


@cache
def tiny_folder() -> Path:
    return make_tiny_model(Path(mkdtemp(prefix="nightschool-tiny-")) / "tiny")


@cache
def tiny_base() -> Base:
    return find_base(str(tiny_folder()), tiny_folder().parent)


def writer() -> Writer:
    base = tiny_base()
    return Writer(base.format, base.encode, base.end_of_turn)


def tiny_model(settings: TrainSettings = PLAIN) -> Any:
    base = tiny_base()
    model = load_weights(base, precision=settings.precision, load_in_4bit=False, device=CPU)
    return add_lora(model, base, settings)


def sequence(ids: list[int], *learned: tuple[int, int], weight: float = 1.0, example: str = "e") -> TokenSequence:
    return TokenSequence(example, tuple(ids), learned, weight)


def lessons(count: int, begin: int = 0) -> list[TokenSequence]:
    """Questions with an answer each, of one template."""
    return [
        found
        for number in range(begin, begin + count)
        for found in writer().sequences(
            f"e{number}",
            [{"role": "system", "content": "Say what comes next."}, user(f"{number}"), says(f"{number + 1}")],
            None,
            [2],
            1.0,
        )
    ]


def task(settings: TrainSettings = PLAIN, *, train: int = 10, validation: int = 3) -> Task:
    return Task(tiny_model(settings), settings, lessons(train), lessons(validation, 500))


def school(folder: Path, count: int = 24) -> Path:
    """A data folder with a dataset of ``count`` exchanges of the workload w."""
    file(
        folder, [asked(number, user(f"What is {number}?"), answer=says(f"It is {number}.")) for number in range(count)]
    )
    built(folder, Settings(min_examples=1, test_share=0.1))
    return folder


def wanted(distill: Distill = QUICK, **told: Any) -> Wanted:
    return Wanted("w", str(tiny_folder()), distill, **told)


def trained(folder: Path, distill: Distill = QUICK, **told: Any) -> Trained:
    return train(folder, wanted(distill), **told)
