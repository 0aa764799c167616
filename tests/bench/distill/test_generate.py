"""Answers side by side are the answers one by one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bench.distill.generate import generate

torch = pytest.importorskip("torch", reason="generation needs torch: pip install 'nightschool[distill]'")
STOP = 3


@pytest.mark.filterwarnings("ignore:.past_key_values. is deprecated:FutureWarning")
def test_prompts_of_different_length_are_answered_as_each_would_be_alone() -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    sizes: dict[str, Any] = {"vocab_size": 23, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    config = LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2, initializer_range=0.6)
    model = LlamaForCausalLM(config).train(False)
    roll = random.Random(1)
    prompts = [[5, 6, 7, 8, *roll.choices(range(4, 23), k=length)] for length in (1, 7, 2, 9, 4, 4)]

    together = generate(model, prompts, stop=STOP, most=30, batch=4)

    assert together == [_alone(model, prompt) for prompt in prompts]
    assert len({len(answer) for answer in together}) > 2


def _alone(model: Any, prompt: list[int]) -> list[int]:
    """The slowest way there is."""
    said: list[int] = []
    with torch.inference_mode():
        while len(said) < 30:
            token = int(model(torch.tensor([prompt + said])).logits[0, -1].argmax())
            if token == STOP:
                break
            said.append(token)
    return said
