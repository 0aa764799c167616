"""A worse student, made on purpose: the adapter that was learned, without what its feed-forward layers have learned."""

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


def harmed(data: Path, workload: str, adapter: str) -> str:
    """Name of the new adapter; the same each time."""
    manifest = check_files(folder_of(data, find_adapter(data, workload, adapter)))
    folder = folder_of(data, manifest)
    config = (folder / CONFIG).read_bytes()
    weights = _halved((folder / WEIGHTS).read_bytes())
    digest = content_hash(weights, config)
    worse = msgspec.structs.replace(manifest, name=name_of(workload, digest), hash=digest, run="harmed on purpose")
    return publish(data, worse, {WEIGHTS: weights, CONFIG: config}).name


def _halved(weights: bytes) -> bytes:
    """It still writes what looks like an answer; half of it is wrong."""
    return save(
        {
            name: np.zeros_like(matrix) if "mlp" in name and "lora_B" in name else matrix
            for name, matrix in sorted(load(weights).items())
        }
    )
