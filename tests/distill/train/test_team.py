"""Several processes, started by `accelerate launch`, train what one trains."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nightschool.registry.adapters import find_adapter, folder_of
from tests.distill.train.school import school, tiny_folder


@pytest.mark.timeout(300)
def test_two_processes_come_to_the_weights_of_one_but_for_rounding(tmp_path: Path) -> None:
    tiny_folder()
    one, two = school(tmp_path / "one"), school(tmp_path / "two")
    driver = ["-m", "tests.distill.train.crash_driver"]
    launcher = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}

    for folder, command in ((one, driver), (two, [*launcher, "--module", driver[1]])):
        done = subprocess.run(
            [sys.executable, *command, str(folder), str(tiny_folder())], capture_output=True, text=True, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]

    alone, together = (
        load_file(folder_of(folder, find_adapter(folder, "w")) / "adapter_model.safetensors") for folder in (one, two)
    )
    assert alone.keys() == together.keys()
    for name, weights in alone.items():
        assert torch.allclose(together[name], weights, atol=1e-4), name
