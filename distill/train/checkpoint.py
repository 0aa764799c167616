"""Where a run stands, on the disk: enough to go on as if nothing had happened, bit by bit on a CPU.

    runs/<name>/checkpoint.safetensors  weights, the best weights so far, the optimizer's moments, random state
    (its metadata)                      step, best loss, the curve

One file, replaced by one rename: a kill at any moment leaves the one before. Tensors and JSON only, nothing that runs
code when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from distill.train.points import Point
from nightschool.store.durable import new_file

FILE = "checkpoint.safetensors"
_STATE = "state"


class Standing(msgspec.Struct, kw_only=True):
    """How far a run is; ``points`` has one entry for each finished step."""

    points: list[Point] = []
    best_step: int = 0
    best_loss: float | None = None
    looks_without_gain: int = 0

    @property
    def step(self) -> int:
        return len(self.points)

    @property
    def seconds(self) -> float:
        return self.points[-1].seconds if self.points else 0.0

    @property
    def tokens(self) -> int:
        return self.points[-1].tokens if self.points else 0


@dataclass(slots=True)
class Checkpoint:
    """All that a run needs to go on."""

    standing: Standing
    weights: dict[str, Tensor]
    best: dict[str, Tensor]
    moments: dict[str, Tensor]
    """Of the optimizer, by parameter and name."""
    random: dict[str, Tensor]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    tensors: dict[str, Tensor] = {}
    for part in ("weights", "best", "moments", "random"):
        tensors |= {f"{part}/{name}": tensor for name, tensor in getattr(checkpoint, part).items()}
    state = msgspec.json.encode(checkpoint.standing).decode()
    data = save(tensors, metadata={_STATE: state})
    with new_file(folder / FILE) as file:
        file.write(data)


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint of a run; None where there is none, or none that can be read: then the run begins anew."""
    try:
        with safe_open(folder / FILE, "pt") as file:
            standing = msgspec.json.decode(file.metadata()[_STATE], type=Standing)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (FileNotFoundError, SafetensorError, msgspec.DecodeError, KeyError):
        return None
    return Checkpoint(standing, *(_part(tensors, part) for part in ("weights", "best", "moments", "random")))


def random_state() -> dict[str, Tensor]:
    """Of every generator that dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}/"): tensor for name, tensor in tensors.items() if name.startswith(f"{part}/")}
