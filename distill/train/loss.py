"""What a row costs: the weighted negative log likelihood of what is to be learned, in nats, summed.

Sums, not means: rows of one step, and steps of several processes, add up to exactly the loss of the whole batch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.train.pack import Row


def row_loss(model: Any, row: Row) -> Tensor:
    """One number, with a gradient; the head is computed for the learned tokens only."""
    return (_nll(model, row) * row.weights).sum()


@torch.no_grad()
def row_nll(model: Any, row: Row) -> float:
    """The same unweighted and without a gradient, for the validation side."""
    return float(_nll(model, row).sum())


def _nll(model: Any, row: Row) -> Tensor:
    """float32 (K)."""
    output = model(
        input_ids=row.tokens[None],
        position_ids=row.positions[None],
        attention_mask=row.mask(),
        use_cache=False,
        logits_to_keep=row.predicts,
    )
    logits = output.logits[0]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(logits, row.targets, reduction="none")
