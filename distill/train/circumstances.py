"""A dataset, a base model and this machine -> what the rules for settings look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from distill.dataset.snapshot import DatasetManifest
from distill.train.base import Base
from distill.train.read import soft_tokens
from distill.train.sequence import Writer
from distill.train.settings import Circumstances
from nightschool.config import Distill

_MULTIPLY_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Of Intel and AMD, and of ARM."""


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
        has_bfloat16=_gpu_has_bfloat16() if on_gpu else cpu_has_bfloat16(_cpu_capabilities()),
        soft_tokens=_soft_tokens(train_file, base) if soft else 0.0,
    )


def cpu_has_bfloat16(capabilities: Mapping[str, object]) -> bool:
    """By what torch says of the processor: whether it multiplies matrices of them; else float32 is twice as fast."""
    return any(capabilities.get(name) is True for name in _MULTIPLY_BFLOAT16)


def _cpu_capabilities() -> Mapping[str, object]:
    tell: Callable[[], Mapping[str, object]] = getattr(torch.cpu, "get_capabilities", dict)  # not in every torch
    return tell()


def _gpu_has_bfloat16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def _soft_tokens(train_file: Path, base: Base) -> float | None:
    vocabulary = base.vocabulary()
    if vocabulary is None:
        return None
    return soft_tokens(train_file, Writer(base.format, base.encode, base.end_of_turn, vocabulary))
