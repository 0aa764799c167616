"""What a dataset is made of, and how a student is trained on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nightschool.config.section import Section
from nightschool.config.values import Count, Cron

Share = Annotated[float, Field(ge=0, lt=1, strict=True)]
Rank = Literal[1, 8, 16, 32, 64, 128, 256]
"""Ranks of adapters that vLLM serves."""


class Distill(Section):
    """What a student is taught with, and how. A training setting that is left out follows a rule."""

    schedule: Cron | None = None
    """When a night begins, as in a crontab, in this machine's time. Left out, only `nightschool distill` begins one."""

    while_serving: Literal["share", "pause"] = "share"
    """What replicas do while a student is trained: `share` goes on, `pause` leaves the answers to the teachers."""

    min_examples: Count = 300
    """Fewest answers to learn from; a dataset with less is not built."""

    max_examples: Count = 10_000
    """Most answers to learn from; what is more is left out at random, fresh ones least."""

    test_share: Annotated[float, Field(gt=0, le=0.5, strict=True)] = 0.1
    """Share of the groups (conversations, exact inputs) that is only tested with. A group keeps its side for ever."""

    newest_days: Count = 7
    """Days before the newest exchange whose examples are marked `newest`."""

    epochs: Count | None = None
    """Most times that each answer is learned. Left out, 10,000 / answers, between 1 and 10."""

    learning_rate: Annotated[float, Field(gt=0, le=0.1, strict=True)] | None = None
    """Highest learning rate. Left out, by the width of the base model and the number of steps."""

    rank: Rank | None = None
    """Rank of the adapter, one of those that vLLM serves. Left out, 8 to 64 by the number of answers."""

    alpha: Count | None = None
    """LoRA's alpha: the adapter counts alpha / rank. Left out, 32."""

    dropout: Share | None = None
    """Share of the inputs of an adapter's matrices that is left out at random. Left out, 0.05 below 1,000 answers."""

    batch_examples: Count | None = None
    """Examples per step. Left out, 8, or 16 above 5,000 answers."""

    max_tokens: Count | None = None
    """Longest example, answer included; longer ones are left out. Left out, the model's window, at most 4,096."""

    row_tokens: Count | None = None
    """Tokens per forward pass, into which examples are packed: what memory depends on. Left out, by the processor."""

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the base model while training; `auto` takes bfloat16 where the processor has it."""

    load_in_4bit: bool = False
    """Keep the base model in 4 bits (NF4) while training; needs the package bitsandbytes."""

    gradient_checkpointing: bool | Literal["auto"] = "auto"
    """Compute more and keep less; `auto` does so on a GPU from a billion parameters on."""

    validations_per_epoch: Count = 4
    """Looks at the validation side per epoch; the adapter of the best one is kept."""

    patience: Count = 4
    """Looks in a row without a gain after which training stops."""

    soft_labels: Literal["auto", "off"] = "auto"
    """Learn from the teacher's log probabilities, too; `auto` does so where half of the tokens to learn have them."""

    soft_share: Annotated[float, Field(gt=0, le=1, strict=True)] = 0.5
    """How much they count, where there are any, against what the teacher did say."""

    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 1
    """Of the first weights, the order of the examples, and dropout."""
