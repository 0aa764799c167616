"""What is wrong with a base model, in words."""

from __future__ import annotations

from nightschool.errors import NightschoolError


class BaseModelError(NightschoolError):
    """The base model cannot be used for training."""


def unusable(name: str, error: Exception) -> BaseModelError:
    """What a library said, and what can be given instead."""
    return BaseModelError(
        f"the base model {name} cannot be loaded: {str(error).strip().splitlines()[0]}",
        remedy="`student.base_model` takes a hub id that this machine can reach, a folder with config, weights and "
        "tokenizer, or a .gguf file",
    )
