"""The processes of one training run: one, or as many as `accelerate launch` has started.

Each takes its share of a step's rows; gradients are summed. LoRA's are small, so nothing cleverer is needed, and a
process that has no row in a step need not pretend to have one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from accelerate import PartialState
from torch import Tensor

_T = TypeVar("_T")


class Team:
    """This process, and its place among the others."""

    def __init__(self) -> None:
        self._state = PartialState()

    @property
    def device(self) -> torch.device:
        device: torch.device = self._state.device
        return device

    @property
    def leads(self) -> bool:
        """One of them writes files, and speaks."""
        return bool(self._state.is_main_process)

    @property
    def size(self) -> int:
        return int(self._state.num_processes)

    def share(self, things: Sequence[_T]) -> Sequence[_T]:
        """What of a step is this process's own."""
        return things[self._state.process_index :: self.size]

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Every process gets the sum of all; a missing gradient counts as zero."""
        if self.size == 1:
            return
        parameters = list(parameters)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
        torch.distributed.all_reduce(flat)
        begin = 0
        for parameter in parameters:
            parameter.grad = flat[begin : begin + parameter.numel()].view_as(parameter).clone()
            begin += parameter.numel()

    def sum(self, value: float) -> float:
        """The sum over all processes."""
        if self.size == 1:
            return value
        total: Tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(total)
        return float(total)

    def wait(self) -> None:
        """Until all processes are here."""
        self._state.wait_for_everyone()

    def leader_first(self) -> AbstractContextManager[None]:
        """The others enter the block when the leader has left it."""
        block: AbstractContextManager[None] = self._state.main_process_first()
        return block
