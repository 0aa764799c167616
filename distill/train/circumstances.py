"""A dataset, a base model and this machine -> what the rules for settings look at."""

from __future__ import annotations

from pathlib import Path

import torch

from distill.dataset.snapshot import DatasetManifest
from distill.train.base import Base
from distill.train.read import soft_tokens
from distill.train.sequence import Writer
from distill.train.settings import Circumstances
from nightschool.config import Distill


def circumstances_of(
    dataset: DatasetManifest, train_file: Path, base: Base, device: torch.device, wanted: Distill
) -> Circumstances:
    """Soft labels are looked for only where there may be some, and somebody wants them."""
    on_gpu = device.type == "cuda"
    soft = wanted.soft_labels != "off" and dataset.sides["train"].with_logprobs > 0
    return Circumstances(
        answers=dataset.sides["train"].answers,
        hidden=base.config.hidden_size,
        model_type=base.config.model_type,
        parameters=base.parameters,
        window_tokens=base.config.max_position_embeddings,
        on_gpu=on_gpu,
        has_bfloat16=on_gpu and torch.cuda.is_bf16_supported(including_emulation=False),
        soft_tokens=_soft_tokens(train_file, base) if soft else 0.0,
    )


def _soft_tokens(train_file: Path, base: Base) -> float | None:
    vocabulary = base.vocabulary()
    if vocabulary is None:
        return None
    return soft_tokens(train_file, Writer(base.format, base.encode, base.end_of_turn, vocabulary))
