"""Which model a replica serves, and whether that is the one that adapters are made for."""

from __future__ import annotations

from collections.abc import Iterable

from nightschool.engine.replica import Model, ReplicaError


def served_base(models: Iterable[Model], url: str, wanted: str) -> Model:
    """The base model of a replica. Raises ReplicaError where it is another one."""
    bases = [model for model in models if model.parent is None]
    if not bases:
        raise ReplicaError(f"{url} holds no model", remedy="start vLLM with the base model")
    for model in bases:
        if any(same_model(name, wanted) for name in (model.root, model.id) if name):
            return model
    held = ", ".join(model.root or model.id for model in bases)
    raise ReplicaError(
        f"{url} serves {held}, and {wanted} is needed",
        remedy="serve that model there, or correct `student.base_model`",
    )


def same_model(name: str, wanted: str) -> bool:
    """A folder and a hub id may be the same model under two names: what they end in must be equal."""
    return name == wanted or last_part(name).lower() == last_part(wanted).lower()


def last_part(name: str) -> str:
    """Of a hub id or a folder: what a model is called."""
    return name.rstrip("/").rsplit("/", 1)[-1]
