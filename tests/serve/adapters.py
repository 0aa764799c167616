"""Adapter folders that are whole, and hold nothing that could be applied."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from nightschool.registry.adapters import content_hash, name_of, publish
from nightschool.registry.manifest import AdapterManifest
from tests.distill.evaluate.school import BASE_MODEL, manifest_of


def adapter(
    data: Path,
    number: int,
    *,
    base_model: str = BASE_MODEL,
    template_hash: str | None = None,
    dataset: str = "d",
    created: str | None = None,
) -> AdapterManifest:
    """The ``number``-th adapter of the workload ``w``."""
    weights, config = f"weights {number}".encode(), b"{}"
    digest = content_hash(weights, config)
    plain = manifest_of(base_model, dataset)
    manifest = replace(
        plain,
        name=name_of("w", digest),
        hash=digest,
        template_hash=template_hash or plain.template_hash,
        created=created or plain.created,
    )
    return publish(data, manifest, {"adapter_model.safetensors": weights, "adapter_config.json": config})
