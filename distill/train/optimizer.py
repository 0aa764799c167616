"""AdamW over the LoRA weights, and its state by the names of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from distill.train.lora import trained
from distill.train.settings import BETAS, WEIGHT_DECAY, TrainSettings


def optimizer_for(model: Any, settings: TrainSettings) -> torch.optim.AdamW:
    parameters = [parameter for _, parameter in trained(model)]
    return torch.optim.AdamW(parameters, lr=settings.learning_rate, betas=BETAS, weight_decay=WEIGHT_DECAY)


def moments_of(model: Any, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """``<kind>/<parameter>`` -> a copy on the CPU; empty before the first step."""
    return {
        f"{kind}/{name}": value.detach().cpu().clone()
        for name, parameter in trained(model)
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def set_moments(model: Any, optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    for name, parameter in trained(model):
        state = {
            kind: moments[f"{kind}/{name}"].clone()
            for kind in ("step", "exp_avg", "exp_avg_sq")
            if f"{kind}/{name}" in moments
        }
        if state:
            optimizer.state[parameter] = {
                kind: value if kind == "step" else value.to(parameter.device) for kind, value in state.items()
            }
