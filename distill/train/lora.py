"""LoRA (Hu et al., 2021) on all linear layers of a base model; plain, as vLLM serves it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save
from torch import Tensor

from distill.train.base import Base
from distill.train.settings import TrainSettings

TARGETS = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
"""Attention and MLP of Llama and Qwen: what pays ("LoRA Without Regret", 2025), and what vLLM takes."""


def add_lora(model: Any, base: Base, settings: TrainSettings) -> Any:
    """The model with fresh LoRA weights, which are all that is trained; the same ones for the same seed."""
    torch.manual_seed(settings.seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(TARGETS),
        bias="none",
        base_model_name_or_path=base.name,
    )
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is going to change
        adapted = get_peft_model(model, config)
    adapted.peft_config["default"].base_model_name_or_path = base.name
    return adapted


def trained(model: Any) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """The trained parameters, always in the same order."""
    return ((name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad)


def weights_of(model: Any) -> dict[str, Tensor]:
    """A copy of the LoRA weights on the CPU, under the names that peft gives them in a file."""
    state = get_peft_model_state_dict(model)
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in sorted(state.items())}


def set_weights(model: Any, weights: dict[str, Tensor]) -> None:
    set_peft_model_state_dict(model, weights)


def adapter_files(model: Any) -> tuple[bytes, bytes]:
    """``adapter_model.safetensors`` and ``adapter_config.json``, the same bytes for the same weights."""
    config = model.peft_config["default"].to_dict() | {"inference_mode": True}
    text = json.dumps(config, indent=2, sort_keys=True, default=_plain)
    return save(weights_of(model), metadata={"format": "pt"}), text.encode()


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set) else str(value)


def lora_parameters(config: Any, rank: int) -> int:
    """How many parameters ``add_lora`` will add to a model of this configuration."""
    hidden, middle = config.hidden_size, config.intermediate_size
    heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or hidden // heads
    query, key = heads * head, (getattr(config, "num_key_value_heads", None) or heads) * head
    sides = (hidden + query) * 2 + (hidden + key) * 2 + (hidden + middle) * 3
    return int(config.num_hidden_layers * rank * sides)
