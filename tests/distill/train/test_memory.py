"""What a run will take, told before it starts."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from distill.train.lora import lora_parameters, trained
from distill.train.memory import GB, NotEnoughMemory, check_memory, needed_bytes
from tests.distill.train.school import CPU, PLAIN, tiny_base, tiny_model

LLAMA_3_8B = SimpleNamespace(
    hidden_size=4_096,
    intermediate_size=14_336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    vocab_size=128_256,
)
ON_A_GPU = msgspec.structs.replace(
    PLAIN, precision="bfloat16", gradient_checkpointing=True, rank=16, row_tokens=2_048, max_tokens=2_048
)


def needed_gb(**changed: object) -> float:
    settings = msgspec.structs.replace(ON_A_GPU, **changed)
    lora = lora_parameters(LLAMA_3_8B, settings.rank)
    return needed_bytes(LLAMA_3_8B, 8_030_000_000, lora, settings, row_tokens=settings.row_tokens) / GB


def test_llama_3_8b_needs_a_gpu_of_24_gb_or_4_bits() -> None:
    assert 18 < needed_gb() < 22
    assert 7 < needed_gb(load_in_4bit=True) < 11
    assert needed_gb(gradient_checkpointing=False) > needed_gb() + 10


def test_lora_parameters_are_counted_before_there_are_any() -> None:
    added = sum(parameter.numel() for _, parameter in trained(tiny_model()))

    assert lora_parameters(tiny_base().config, PLAIN.rank) == added
    assert lora_parameters(LLAMA_3_8B, 16) == 41_943_040  # Tinker's cookbook has the same


def test_what_cannot_fit_is_refused_with_what_would_help() -> None:
    with pytest.raises(NotEnoughMemory) as raised:
        check_memory(1_000 * GB, CPU, PLAIN)

    assert "the training needs about 1000.0 GB, this machine has" in str(raised.value)
    assert "`gradient_checkpointing: true`, `row_tokens` below 256" in str(raised.value)


def test_what_fits_is_told() -> None:
    assert check_memory(0.5 * GB, CPU, PLAIN).startswith("needs about 0.5 GB, this machine has ")


def test_the_estimate_of_a_small_model_is_near_what_is_used() -> None:
    """In a process of its own; a small model is mostly torch itself.

    VmHWM is the peak of that program alone; ``ru_maxrss`` would begin at what the tests before had taken in this one.
    """
    code = (
        "from tests.distill.train.school import *\n"
        "t = task(); rows = rows_of(t.train, 2048)\n"
        "[row_loss(t.model, row).backward() for row in rows]\n"
        "line = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(int(line.split()[1]) * 1024)"
    )
    imports = "from distill.train.pack import rows_of; from distill.train.loss import row_loss\n"
    done = subprocess.run([sys.executable, "-c", imports + code], capture_output=True, text=True, check=True)
    base = tiny_base()
    lora = lora_parameters(base.config, PLAIN.rank)
    estimate = needed_bytes(base.config, base.parameters, lora, PLAIN, row_tokens=2_048)

    assert 0.5 < float(done.stdout) / estimate < 1.5
    assert psutil.virtual_memory().available > estimate
