"""What a run will take of memory, before it starts.

Weights, what LoRA adds, what a row keeps for the way back, and the logits of what is learned. An estimate, meant to be
a little high.
"""

from __future__ import annotations

from typing import Any

import psutil
import torch

from distill.train.settings import TrainSettings
from nightschool.errors import NightschoolError

GB = 1e9
_RUNTIME_BYTES = 0.6 * GB
"""Python, torch and its kernels."""
_HOPELESS = 1.2
"""What is this many times too large is refused."""


class NotEnoughMemory(NightschoolError):
    """The run would not fit on this device."""


def needed_bytes(
    config: Any, parameters: int, lora_parameters: int, settings: TrainSettings, *, row_tokens: int
) -> float:
    """Peak bytes on the device; ``config`` is the base model's, ``row_tokens`` the length of the longest row."""
    width = 4 if settings.precision == "float32" else 2
    weights = parameters * (0.6 if settings.load_in_4bit else width)
    lora = lora_parameters * 4 * 4  # weights, gradients, and two moments, in float32
    per_layer = _kept_per_token(config, width)
    layers = config.num_hidden_layers
    if settings.gradient_checkpointing:
        per_token = layers * config.hidden_size * width + per_layer
    else:
        per_token = layers * per_layer
    copies = 6 if settings.soft_labels == "on" else 3  # as they are, in float32, their gradient; the tail's own three
    logits = row_tokens / 2 * config.vocab_size * 4 * copies
    return float(weights + lora + row_tokens * per_token + logits + _RUNTIME_BYTES)


def _kept_per_token(config: Any, width: int) -> float:
    """Bytes that a decoder layer keeps for one token: its inputs, norms, projections, and each LoRA's own.

    Norms and LoRA are computed in float32, and with a narrower base keep their inputs once more.
    """
    hidden, middle = config.hidden_size, config.intermediate_size
    again = 0 if width == 4 else 4 * (12 * hidden + 2 * middle)
    return float(width * (12 * hidden + 6 * middle) + again)


def check_memory(needed: float, device: torch.device, settings: TrainSettings) -> str:
    """What is needed and what there is, as a phrase; raises ``NotEnoughMemory`` where it is hopeless."""
    if device.type == "cuda":
        free, where = float(torch.cuda.mem_get_info(device)[0]), "this GPU has"
    else:
        free, where = float(psutil.virtual_memory().available), "this machine has"
    told = f"needs about {needed / GB:.1f} GB, {where} {free / GB:.1f} free"
    if needed > _HOPELESS * free:
        raise NotEnoughMemory(f"the training {told}", remedy=_remedy(settings, device))
    return told


def _remedy(settings: TrainSettings, device: torch.device) -> str:
    """The settings that would help and are not in use."""
    helping = []
    if not settings.load_in_4bit and device.type == "cuda":
        helping.append("`load_in_4bit: true`")
    if not settings.gradient_checkpointing:
        helping.append("`gradient_checkpointing: true`")
    helping.append(f"`row_tokens` below {settings.row_tokens:,}")
    helping.append(
        f"`max_tokens` below {settings.max_tokens:,} (longer examples are left out), or a smaller base model"
    )
    return "under `distill:` " + ", ".join(helping)
