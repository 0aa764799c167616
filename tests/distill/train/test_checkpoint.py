"""Where a run stands, written and read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.train.checkpoint import (
    FILE,
    Checkpoint,
    Standing,
    random_state,
    read_checkpoint,
    set_random_state,
    write_checkpoint,
)
from distill.train.points import Point


def checkpoint() -> Checkpoint:
    point = Point(1, 0.5, 100, 2.0, 0.01, 1.25, None)
    return Checkpoint(
        standing=Standing(points=[point], best_step=1, best_loss=0.5, looks_without_gain=2),
        weights={"a.lora_A.weight": torch.arange(6.0).view(2, 3)},
        best={"a.lora_A.weight": torch.ones(2, 3)},
        moments={"exp_avg/a.lora_A": torch.full((2,), 0.1), "step/a.lora_A": torch.tensor(1.0)},
        random=random_state(),
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = checkpoint()

    write_checkpoint(tmp_path, written)

    read = read_checkpoint(tmp_path)
    assert read is not None
    assert read.standing == written.standing
    for part in ("weights", "best", "moments", "random"):
        mine, theirs = getattr(written, part), getattr(read, part)
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("content", [None, b"", b"\x00" * 100, b"not a checkpoint"])
def test_without_a_readable_checkpoint_a_run_begins_anew(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)

    assert read_checkpoint(tmp_path) is None


def test_a_cut_checkpoint_is_none(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, checkpoint())
    whole = (tmp_path / FILE).read_bytes()

    for length in range(0, len(whole), 97):
        (tmp_path / FILE).write_bytes(whole[:length])
        assert read_checkpoint(tmp_path) is None


def test_chance_goes_on_where_it_was() -> None:
    state = random_state()
    first = torch.rand(3)

    set_random_state(state)

    assert torch.equal(torch.rand(3), first)
