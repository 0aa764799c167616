"""Every setting of a training run, and where its value came from: the configuration, a rule, or a default.

The rules are those of docs/training.md, with their sources there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from nightschool.config import Distill

WEIGHT_DECAY = 0.0
LARGEST_GRADIENT = 1.0
BETAS = (0.9, 0.999)

_RANKS = ((1_000, 8), (5_000, 16), (20_000, 32))
_LARGEST_RANK = 64
_ALPHA = 32
_FEW_ANSWERS = 1_000
_FEW_STEPS = 100
_MANY_ANSWERS = 5_000
_WINDOW_TOKENS = 4_096
_WIDTH_EXPONENT = 0.781
_QWEN_WIDTH_EXPONENT = 0.0775
_LEAST_SOFT_TOKENS = 0.5
_CHECKPOINTING_FROM_PARAMETERS = 1_000_000_000


class TrainSettings(msgspec.Struct, kw_only=True, frozen=True):
    """What a run keeps to; the meaning of each is on the configuration's page."""

    epochs: int
    learning_rate: float
    rank: int
    alpha: int
    dropout: float
    batch_examples: int
    max_tokens: int
    row_tokens: int
    precision: Literal["float32", "bfloat16"]
    load_in_4bit: bool
    gradient_checkpointing: bool
    validations_per_epoch: int
    patience: int
    seed: int
    soft_labels: Literal["on", "off"] = "off"
    soft_share: float = 0.5


class Decided(NamedTuple):
    """One setting, and why it has this value."""

    name: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rules look at."""

    answers: int
    """To learn, on the training side."""
    hidden: int
    """Width of the base model."""
    model_type: str
    parameters: int
    window_tokens: int
    """Longest input of the base model."""
    on_gpu: bool
    has_bfloat16: bool
    """The processor computes in bfloat16 without emulating it."""
    soft_tokens: float | None = 0.0
    """Share of the learned tokens that have soft labels; None where the tokenizer rules them out."""


def settle(given: Distill, now: Circumstances) -> tuple[TrainSettings, list[Decided]]:
    """Settings, and for each where it came from, in the order of ``TrainSettings``."""
    decided = {each.name: each for each in _rules(given, now)}
    for name in TrainSettings.__struct_fields__:
        if name in given.model_fields_set and getattr(given, name) not in (None, "auto"):
            decided[name] = Decided(name, getattr(given, name), "configuration")
        elif name not in decided:
            decided[name] = Decided(name, getattr(given, name), "default")
    ordered = [decided[name] for name in TrainSettings.__struct_fields__]
    return TrainSettings(**{each.name: each.value for each in ordered}), ordered


def _rules(given: Distill, now: Circumstances) -> Iterator[Decided]:
    answers = f"{now.answers:,} answers"
    epochs = min(10, max(1, round(10_000 / max(1, now.answers))))
    yield Decided("epochs", epochs, f"10,000 / {answers}, between 1 and 10")
    batch = 16 if now.answers > _MANY_ANSWERS else 8
    yield Decided("batch_examples", batch, answers)
    steps = (given.epochs or epochs) * now.answers / (given.batch_examples or batch)
    yield Decided("learning_rate", *_rate(now, int(steps)))
    rank = next((rank for most, rank in _RANKS if now.answers < most), _LARGEST_RANK)
    yield Decided("rank", rank, answers)
    yield Decided("alpha", _ALPHA, "default")
    yield Decided("dropout", 0.05 if now.answers < _FEW_ANSWERS else 0.0, answers)
    window = min(_WINDOW_TOKENS, now.window_tokens)
    yield Decided("max_tokens", window, f"the model's window of {now.window_tokens:,}, at most {_WINDOW_TOKENS:,}")
    yield Decided("row_tokens", *((4_096, "on a GPU") if now.on_gpu else (1_024, "on a CPU")))
    precision = "bfloat16" if now.has_bfloat16 else "float32"
    yield Decided("precision", precision, f"this processor {'has' if now.has_bfloat16 else 'has no'} bfloat16")
    large = now.on_gpu and now.parameters >= _CHECKPOINTING_FROM_PARAMETERS
    yield Decided("gradient_checkpointing", large, f"{now.parameters / 1e6:,.0f} M parameters")
    yield Decided("soft_labels", *_soft_labels(now.soft_tokens))


def _soft_labels(tokens: float | None) -> tuple[Literal["on", "off"], str]:
    if tokens is None:
        return "off", "the base model's tokenizer is not one of bytes"
    told = f"{tokens:.0%} of the learned tokens have log probabilities"
    return "on" if tokens >= _LEAST_SOFT_TOKENS else "off", told


def _rate(now: Circumstances, steps: int) -> tuple[float, str]:
    """The width rule of Tinker's cookbook for LoRA; higher for a short run ("LoRA Without Regret")."""
    exponent = _QWEN_WIDTH_EXPONENT if now.model_type.startswith("qwen") else _WIDTH_EXPONENT
    factor = 15 if steps < _FEW_STEPS else 10
    rate = 5e-5 * factor * (2000 / now.hidden) ** exponent
    return float(f"{rate:.2g}"), f"5e-5 * {factor} * (2000 / {now.hidden}) ** {exponent}, about {steps:,} steps"
