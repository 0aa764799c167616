"""A base model -> its format, by the special tokens that its tokenizer has, or by the name of its family on the hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import msgspec

from nightschool.errors import UnknownFamily
from nightschool.formats.format import FORMATS, Format

_File = TypeVar("_File")


class _AddedToken(msgspec.Struct):
    content: str


class _TokenizerFile(msgspec.Struct):
    """``tokenizer.json``, of which the vocabulary is not wanted."""

    added_tokens: list[_AddedToken] = []


class _TokenizerConfig(msgspec.Struct):
    """``tokenizer_config.json``; ``eos_token`` is a string, or an object with its content."""

    added_tokens_decoder: dict[str, _AddedToken] = {}
    eos_token: str | _AddedToken | None = None


def format_for(base_model: str | Path) -> Format:
    """The format of a model folder, or of a hub id when there is no such folder; ``UnknownFamily`` if none fits."""
    folder = Path(base_model)
    if folder.is_dir():
        return _of_folder(folder)
    name = str(base_model)
    if isinstance(base_model, Path) or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise UnknownFamily(f"there is no folder {name}", remedy="give a hub id, or the folder of a model")
    return _of_name(name)


def _of_name(name: str) -> Format:
    last = name.rpartition("/")[2]
    for format in FORMATS:
        if re.match(format.model_names, last, re.IGNORECASE):
            return format
    raise UnknownFamily(
        f"no format is known for {name!r}; known are {_known()}",
        remedy="use one of those, or a folder with such a model: there the tokenizer decides, not the name",
    )


def _of_folder(folder: Path) -> Format:
    """A tokenizer may have the tokens of two formats; then the end of turn that the model was trained with decides."""
    config = _read(folder / "tokenizer_config.json", _TokenizerConfig)
    vocabulary = _read(folder / "tokenizer.json", _TokenizerFile)
    if config is None and vocabulary is None:
        raise UnknownFamily(
            f"{folder} has no tokenizer: neither tokenizer.json nor tokenizer_config.json is there",
            remedy="copy the tokenizer's files of the base model into the folder",
        )
    config, vocabulary = config or _TokenizerConfig(), vocabulary or _TokenizerFile()
    tokens = {token.content for token in (*vocabulary.added_tokens, *config.added_tokens_decoder.values())}
    end = config.eos_token.content if isinstance(config.eos_token, _AddedToken) else config.eos_token
    fitting = [format for format in FORMATS if tokens.issuperset(format.special_tokens)]
    for format in sorted(fitting, key=lambda format: format.end_of_turn != end):
        return format
    raise UnknownFamily(
        f"the tokenizer of {folder} fits no format: it has {_shown(tokens)}; known are {_known()}",
        remedy="use a base model of one of these families",
    )


def _read(path: Path, type: type[_File]) -> _File | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise UnknownFamily(f"{path} cannot be read: {error}", remedy="download the file again") from None


def _shown(tokens: set[str]) -> str:
    some = sorted(tokens)[:6]
    return f"the tokens {', '.join(some)}{' …' if len(tokens) > len(some) else ''}" if some else "no added tokens"


def _known() -> str:
    return "; ".join(f"{format.name} (tokens {', '.join(format.special_tokens)})" for format in FORMATS)
