"""A GGUF file -> a model folder, which can be trained and which vLLM can serve.

    python -m distill.train.gguf FILE FOLDER

The folder appears by one rename: it is whole, or it is not there.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from distill.train.unusable import BaseModelError, unusable
from nightschool.store.durable import publish_folder


def convert(file: Path, target: Path) -> Path:
    """Write weights (bfloat16), tokenizer and chat template to ``target``, unless it exists."""
    if target.is_dir():
        return target
    if not file.is_file():
        raise BaseModelError(f"there is no file {file}", remedy="give the path of a .gguf file, a folder or a hub id")
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    except (OSError, ValueError, ImportError) as error:
        raise unusable(str(file), error) from error
    # The weights are plain floats by now, but transformers still refuses to save what it read from a GGUF.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(unfinished)
    tokenizer.save_pretrained(unfinished)
    publish_folder(unfinished, target)
    return target


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="a .gguf file")
    parser.add_argument("folder", type=Path, help="folder to create; nothing is done when it exists")
    given = parser.parse_args(argv)
    convert(given.file.resolve(), given.folder)


if __name__ == "__main__":
    main()
