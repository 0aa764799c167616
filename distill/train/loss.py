"""What a row costs: the weighted negative log likelihood of what is to be learned, in nats, summed.

    where the teacher's probabilities p are known    (1 - s) · -log q(said) + s · (-Σ p log q - p(tail) log q(tail))

``tail`` is everything but the known alternatives, taken as one outcome.

Sums, not means: rows of one step, and steps of several processes, add up to exactly the loss of the whole batch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from distill.train.attention import parts_of
from distill.train.pack import Row, SoftTargets


def row_loss(model: Any, row: Row, soft_share: float = 0.0) -> Tensor:
    """One number, with a gradient; the head is computed for the learned tokens only."""
    logits = _logits(model, row)
    costs = F.cross_entropy(logits, row.targets, reduction="none")
    if row.soft is not None and soft_share:
        places = row.soft.places
        costs = costs.index_add(0, places, soft_share * (soft_costs(logits[places], row.soft) - costs[places]))
    return (costs * row.weights).sum()


@torch.no_grad()
def row_nll(model: Any, row: Row) -> float:
    """The same unweighted and without a gradient, for the validation side."""
    return float(F.cross_entropy(_logits(model, row), row.targets, reduction="none").sum())


def soft_costs(logits: Tensor, soft: SoftTargets) -> Tensor:
    """Cross entropy with the teacher's probabilities, float32 (M) of logits (M, vocabulary).

    The tail is summed up from its own logits: 1 - Σ q would be rounded to nothing, and have no gradient, where the
    student is sure.
    """
    whole = logits.logsumexp(-1)
    known = logits.gather(-1, soft.ids) - whole[:, None]
    tail = logits.scatter(-1, soft.ids, -torch.inf).logsumexp(-1) - whole
    return -(soft.shares * known).sum(-1) - soft.tail * tail


def _logits(model: Any, row: Row) -> Tensor:
    """float32 (K, vocabulary)."""
    output = model(
        input_ids=row.tokens[None],
        position_ids=row.positions[None],
        parts=parts_of(row),
        use_cache=False,
        logits_to_keep=row.predicts,
    )
    logits: Tensor = output.logits[0]
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
