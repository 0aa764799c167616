"""The adapter that is evaluated, as far as an evaluation needs to know it, and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from nightschool.engine.replica import ReplicaError
from nightschool.errors import NightschoolError
from nightschool.formats import FORMATS, Format, format_for


class NoBaseModel(NightschoolError):
    """There is nothing that could answer."""

    def __init__(self, workload: str) -> None:
        super().__init__(
            f"{workload} has no adapter, and no base model is configured",
            remedy=f"`nightschool train {workload}` makes an adapter; `student: {{base_model: …}}` names a base model",
        )


class Candidate(NamedTuple):
    """An adapter, or the base model alone."""

    name: str | None
    folder: Path | None
    base_model: str
    format: Format
    template_hash: str


def base_alone(base_model: str) -> Candidate:
    """What an evaluation without an adapter is about."""
    format = format_for(base_model)
    return Candidate(None, None, base_model, format, format.template_hash)


def with_adapter(name: str, folder: Path, base_model: str, format_name: str, template_hash: str) -> Candidate:
    """An adapter whose manifest says so. Raises ReplicaError where it was made with another template than ours."""
    format = next((known for known in FORMATS if known.name == format_name), None)
    if format is None or format.template_hash != template_hash:
        raise ReplicaError(
            f"the adapter {name} was trained with the format {format_name!r} (template {template_hash[:12]}), and this "
            f"nightschool writes {format.template_hash[:12] if format else 'no such format'}",
            remedy="train it again with this version, or evaluate it with the version that has made it",
        )
    return Candidate(name, folder, base_model, format, template_hash)
