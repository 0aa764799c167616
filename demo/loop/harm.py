"""A worse student, made on purpose: the adapter that was learned, with noise in its weights."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import load, save

from nightschool.registry.adapters import (
    CONFIG,
    WEIGHTS,
    check_files,
    content_hash,
    find_adapter,
    folder_of,
    name_of,
    publish,
)

NOISE = 1.5
"""Of it, as a multiple of what each matrix holds."""


def harmed(data: Path, workload: str, adapter: str) -> str:
    """Name of the new adapter; the same each time."""
    manifest = check_files(folder_of(data, find_adapter(data, workload, adapter)))
    folder = folder_of(data, manifest)
    config = (folder / CONFIG).read_bytes()
    weights = _noisy((folder / WEIGHTS).read_bytes())
    digest = content_hash(weights, config)
    worse = msgspec.structs.replace(manifest, name=name_of(workload, digest), hash=digest, run="harmed on purpose")
    return publish(data, worse, {WEIGHTS: weights, CONFIG: config}).name


def _noisy(weights: bytes) -> bytes:
    chance = np.random.default_rng(1)
    return save(
        {
            name: (matrix + chance.normal(0, NOISE * float(matrix.std()), matrix.shape)).astype(matrix.dtype)
            for name, matrix in sorted(load(weights).items())
        }
    )
