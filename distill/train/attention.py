"""Attention in a row, part by part: a part is compared with those parts only of which it sees something.

    shared prompt     sees itself
    rests 1 and 2     see the shared prompt and themselves
    rest 3            sees the shared prompt and itself

One mask over the row says the same, and computes the whole square of it only to hide most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

from distill.train.pack import Row

NAME = "row_in_parts"
"""Of this attention, for transformers."""
LEAST_TOKENS_CPU, LEAST_TOKENS_GPU = 128, 1_024
"""Short sequences are put together to such a part: each part is a call in every layer, which a GPU is slow to begin."""
MOST_TOKENS = 1_024
"""A longer sequence is cut, so that its beginning is not compared with its end."""


class Part(NamedTuple):
    """Tokens of a row that stand together."""

    tokens: int
    sees: tuple[int, ...]
    """Numbers of the parts that it is compared with, ascending; the last is its own."""
    mask: Tensor | None
    """bool (tokens, tokens of all that it sees); None where each token sees those of the part up to itself."""


def use_parts(model: Any) -> None:
    """From now on the model attends in parts, and has to be given them."""
    AttentionInterface.register(NAME, attend)
    model.set_attn_implementation(NAME)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: Tensor | None,
    *,
    parts: Sequence[Part],
    scaling: float,
    dropout: float = 0.0,
    **_: object,
) -> tuple[Tensor, None]:
    """As transformers calls it for every layer: (1, heads, L, size) -> (1, L, heads, size)."""
    sizes = [part.tokens for part in parts]
    knows_groups = query.device.type == "cpu"  # CUDA's fast kernels take no heads in groups beside a mask
    if not knows_groups:
        groups = query.shape[1] // key.shape[1]
        key, value = (each.repeat_interleave(groups, dim=1) for each in (key, value))
    keys, values = (each.split(sizes, dim=2) for each in (key, value))
    attended = [
        F.scaled_dot_product_attention(
            asking,
            torch.cat([keys[number] for number in part.sees], dim=2),
            torch.cat([values[number] for number in part.sees], dim=2),
            attn_mask=part.mask,
            is_causal=part.mask is None,
            dropout_p=dropout,
            scale=scaling,
            enable_gqa=knows_groups,
        )
        for asking, part in zip(query.split(sizes, dim=2), parts, strict=True)
    ]
    return torch.cat(attended, dim=2).transpose(1, 2).contiguous(), None


def parts_of(row: Row, *, least_tokens: int | None = None, most_tokens: int = MOST_TOKENS) -> list[Part]:
    """In the row's order; None for what suits the device."""
    least_tokens = least_tokens or (LEAST_TOKENS_CPU if row.tokens.device.type == "cpu" else LEAST_TOKENS_GPU)
    parts: list[Part] = []
    ranges: list[Tensor] = []
    numbers: list[list[int]] = []
    places = torch.arange(len(row.tokens), device=row.tokens.device)
    for block in _blocks(row, least_tokens):
        sees = [] if block.behind is None else list(numbers[block.behind])
        numbers.append([])
        for piece in places[block.begin : block.end].split(most_tokens):
            numbers[-1].append(len(parts))
            sees.append(len(parts))
            ranges.append(piece)
            mask = None if block.alone and len(sees) == 1 else row.sees(piece, torch.cat([ranges[n] for n in sees]))
            parts.append(Part(len(piece), tuple(sees), mask))
    return parts


class _Block(NamedTuple):
    """A shared prefix, or sequences behind the same one, or behind none."""

    begin: int
    end: int
    behind: int | None
    """Number of the block that is their prefix."""
    alone: bool
    """Nothing but one prefix or one sequence."""


def _blocks(row: Row, least_tokens: int) -> list[_Block]:
    blocks: list[_Block] = []
    prefix_of: dict[int, int] = {}
    begin = 0
    for group, segment, tokens in _runs(row):
        end = begin + tokens
        behind = prefix_of.get(group)
        if segment == 0:
            prefix_of[group] = len(blocks)
            blocks.append(_Block(begin, end, None, alone=True))
        elif blocks and blocks[-1].behind == behind and blocks[-1].end - blocks[-1].begin < least_tokens:
            blocks[-1] = _Block(blocks[-1].begin, end, behind, alone=False)
        else:
            blocks.append(_Block(begin, end, behind, alone=True))
        begin = end
    return blocks


def _runs(row: Row) -> Iterator[tuple[int, int, int]]:
    """Group, segment and number of tokens of what stands together."""
    runs, lengths = torch.unique_consecutive(torch.stack((row.group, row.segment)), dim=1, return_counts=True)
    for (group, segment), tokens in zip(runs.T.tolist(), lengths.tolist(), strict=True):
        yield group, segment, tokens
