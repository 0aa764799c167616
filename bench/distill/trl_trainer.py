"""Rows -> a LoRA trained by TRL's SFTTrainer, and what that took. Run by the interpreter of `.venv-trl`, so it imports
nothing of ours.

    .venv-trl/bin/python bench/distill/trl_trainer.py BASE ROWS OUTPUT --batch 8 --seed 1

ROWS is a JSON array of {"prompt", "completion"}: texts as the student's format writes them, end of turn included.
Prints one JSON object: tokens (of all prompts and completions, without padding), seconds (of the steps), peak_bytes,
loss.

Settings are the best for a CPU without bfloat16: no checkpointing of gradients, float32, rows of similar length in one
batch, so that little is padded; everything else as TRL has it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import sys
from pathlib import Path


def main() -> None:
    arguments = _parse()
    # Seconds to import, and not in our own environment.
    import torch
    from datasets import Dataset  # type: ignore[import-not-found, unused-ignore]
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer  # type: ignore[import-not-found, unused-ignore]

    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(arguments.base, dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(arguments.base),
        train_dataset=Dataset.from_list(json.loads(arguments.rows.read_text())),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        args=SFTConfig(
            output_dir=str(arguments.output),
            num_train_epochs=1,
            per_device_train_batch_size=arguments.batch,
            learning_rate=1e-3,
            train_sampling_strategy="group_by_length",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            max_length=2048,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=arguments.seed,
        ),
    )
    tokens = sum(map(len, trainer.train_dataset["input_ids"]))
    with contextlib.redirect_stdout(sys.stderr):  # where it tells its losses
        metrics = trainer.train().metrics
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    told = {"tokens": tokens, "seconds": metrics["train_runtime"], "peak_bytes": peak_bytes}
    print(json.dumps({**told, "loss": metrics["train_loss"]}))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
