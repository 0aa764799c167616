"""A hub id, a model folder or a GGUF file -> a base model: tokenizer, weights, and the format it is written in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from distill.train.attention import use_parts
from distill.train.gguf import convert
from distill.train.sequence import Encode
from distill.train.unusable import BaseModelError, unusable
from distill.train.vocabulary import Vocabulary, vocabulary_of
from nightschool.formats import Format, format_for

_SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Base:
    """A base model whose weights have not been loaded yet."""

    name: str
    """The hub id, or the absolute path of the folder; the server has to serve it under this name."""
    revision: str
    """Commit on the hub, or a hash over the folder."""
    format: Format
    config: Any
    parameters: int
    encode: Encode
    end_of_turn: int
    vocabulary: Callable[[], Vocabulary | None]
    """Its tokens as bytes; None where the tokenizer is not a byte-level one."""


def find_base(name: str, models: Path) -> Base:
    """Everything but the weights.

    A GGUF file is converted once, into a folder under ``models``. Raises ``BaseModelError``, or ``UnknownFamily``.
    """
    if name.endswith(".gguf"):
        file = Path(name).expanduser().resolve()
        name = str(convert(file, models / file.stem))
    folder = Path(name).expanduser()
    name = str(folder.resolve()) if folder.is_dir() else name
    format = format_for(folder if folder.is_dir() else name)
    try:
        config = AutoConfig.from_pretrained(name)
        tokenizer = AutoTokenizer.from_pretrained(name)
        with torch.device("meta"):
            parameters = AutoModelForCausalLM.from_config(config).num_parameters()
    except (OSError, ValueError, ImportError) as error:
        raise unusable(name, error) from error
    end_of_turn = tokenizer.convert_tokens_to_ids(format.end_of_turn)
    if not isinstance(end_of_turn, int) or end_of_turn == tokenizer.unk_token_id:
        raise BaseModelError(
            f"the tokenizer of {name} does not know {format.end_of_turn}, which ends a turn in format {format.name}",
            remedy="use a base model whose tokenizer has it; docs/formats.md lists the families",
        )

    def encode(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    commit = getattr(config, "_commit_hash", None)
    revision = commit if isinstance(commit, str) and not folder.is_dir() else _hash_of(folder)
    return Base(name, revision, format, config, parameters, encode, end_of_turn, lambda: vocabulary_of(tokenizer))


def load_weights(base: Base, *, precision: str, load_in_4bit: bool, device: torch.device) -> Any:
    """The model on its device, frozen."""
    wanted: dict[str, Any] = {"dtype": getattr(torch, precision)}
    if load_in_4bit:
        if find_spec("bitsandbytes") is None:
            raise BaseModelError("load_in_4bit needs the package bitsandbytes", remedy="pip install bitsandbytes")
        wanted["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=getattr(torch, precision),
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(base.name, device_map={"": device}, **wanted)
    except (OSError, ValueError, ImportError) as error:
        raise unusable(base.name, error) from error
    model.requires_grad_(False)
    use_parts(model)
    return model


def _hash_of(folder: Path) -> str:
    """Over all that decides what the model does; of large files the size and both ends."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".safetensors", ".model", ".txt") and path.is_file():
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                digest.update(file.read(_SAMPLE_BYTES))
                file.seek(max(0, path.stat().st_size - _SAMPLE_BYTES))
                digest.update(file.read())
    return digest.hexdigest()
