"""Every setting has a value, and says where it came from."""

from __future__ import annotations

from typing import Any

import pytest

from distill.train.circumstances import cpu_has_bfloat16
from distill.train.settings import Circumstances, TrainSettings, settle
from nightschool.config import Distill

LLAMA_8B: dict[str, Any] = {
    "answers": 4_000,
    "hidden": 4_096,
    "model_type": "llama",
    "parameters": 8_000_000_000,
    "window_tokens": 8_192,
    "on_gpu": True,
    "has_bfloat16": True,
}


def settled(distill: Distill | None = None, **told: Any) -> tuple[TrainSettings, dict[str, str]]:
    settings, decided = settle(distill or Distill(), Circumstances(**{**LLAMA_8B, **told}))
    return settings, {each.name: each.origin for each in decided}


def test_a_large_llama_gets_the_recommended_settings() -> None:
    settings, origins = settled()

    assert settings == TrainSettings(
        epochs=2,
        learning_rate=2.9e-4,
        rank=16,
        alpha=32,
        dropout=0.0,
        batch_examples=8,
        max_tokens=4_096,
        row_tokens=4_096,
        precision="bfloat16",
        load_in_4bit=False,
        gradient_checkpointing=True,
        validations_per_epoch=4,
        patience=4,
        seed=1,
    )
    assert list(origins) == list(TrainSettings.__struct_fields__)
    assert origins["epochs"] == "10,000 / 4,000 answers, between 1 and 10"
    assert origins["learning_rate"] == "5e-5 * 10 * (2000 / 4096) ** 0.781, about 1,000 steps"
    assert origins["seed"] == "default"


def test_what_is_configured_wins_and_the_rules_reckon_with_it() -> None:
    settings, origins = settled(Distill(epochs=1, rank=64, dropout=0.0, load_in_4bit=True), answers=500)

    assert (settings.epochs, settings.rank, settings.dropout, settings.load_in_4bit) == (1, 64, 0.0, True)
    assert {origins[name] for name in ("epochs", "rank", "dropout", "load_in_4bit")} == {"configuration"}
    assert origins["learning_rate"] == "5e-5 * 15 * (2000 / 4096) ** 0.781, about 62 steps"


@pytest.mark.parametrize(
    ("answers", "epochs", "rank", "dropout", "batch"),
    [(300, 10, 8, 0.05, 8), (1_000, 10, 16, 0.0, 8), (6_000, 2, 32, 0.0, 16), (50_000, 1, 64, 0.0, 16)],
)
def test_more_answers_are_seen_less_often_by_larger_adapters(
    answers: int, epochs: int, rank: int, dropout: float, batch: int
) -> None:
    settings, _ = settled(answers=answers)

    assert (settings.epochs, settings.rank, settings.dropout, settings.batch_examples) == (epochs, rank, dropout, batch)


def test_a_cpu_computes_in_float32_and_keeps_what_it_has_computed() -> None:
    settings, origins = settled(on_gpu=False, has_bfloat16=False, hidden=576, parameters=135_000_000)

    assert (settings.precision, settings.gradient_checkpointing, settings.row_tokens) == ("float32", False, 1_024)
    assert settings.learning_rate == 1.3e-3
    assert origins["precision"] == "this processor has no bfloat16"


def test_qwen_has_a_flatter_rule() -> None:
    assert settled(model_type="qwen3")[0].learning_rate == 4.7e-4


@pytest.mark.parametrize(
    ("tokens", "value", "origin"),
    [
        (0.0, "off", "0% of the learned tokens have log probabilities"),
        (0.49, "off", "49% of the learned tokens have log probabilities"),
        (0.5, "on", "50% of the learned tokens have log probabilities"),
        (None, "off", "the base model's tokenizer is not one of bytes"),
    ],
)
def test_soft_labels_are_learned_where_half_of_the_tokens_have_them(
    tokens: float | None, value: str, origin: str
) -> None:
    settings, origins = settled(soft_tokens=tokens)

    assert (settings.soft_labels, origins["soft_labels"]) == (value, origin)


def test_soft_labels_can_be_refused() -> None:
    settings, origins = settled(Distill(soft_labels="off", soft_share=0.25), soft_tokens=1.0)

    assert (settings.soft_labels, origins["soft_labels"]) == ("off", "configuration")
    assert (settings.soft_share, origins["soft_share"]) == (0.25, "configuration")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "cpu_name": "AMD EPYC"}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"bf16": True, "sve": True}, True),
        ({}, False),
    ],
)
def test_a_cpu_trains_in_bfloat16_where_it_has_instructions_for_it(
    capabilities: dict[str, object], expected: bool
) -> None:
    assert cpu_has_bfloat16(capabilities) is expected
