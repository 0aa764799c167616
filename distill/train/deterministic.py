"""The same numbers every time, where the device can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """On a CPU, deterministic kernels only: a run that goes on is bit by bit the one that was not interrupted.

    With the same number of threads, that is; a GPU's fast attention has no such kernel.
    """
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(device.type == "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
