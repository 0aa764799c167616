"""A base model finds its format by its tokenizer, or by its name; what fits none is told what is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nightschool.errors import UnknownFamily
from nightschool.formats import CHATML, LLAMA3, Format, format_for

HEADERS = [{"id": n, "content": token, "special": True} for n, token in enumerate(LLAMA3.special_tokens)]
TURNS = [{"id": n, "content": token, "special": True} for n, token in enumerate(CHATML.special_tokens, start=10)]


def model(folder: Path, tokens: list[dict[str, Any]] | None = None, config: dict[str, Any] | None = None) -> Path:
    if tokens is not None:
        (folder / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": tokens, "model": {}}))
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("meta-llama/Meta-Llama-3-8B-Instruct", LLAMA3),
        ("meta-llama/Llama-3.1-8B-Instruct", LLAMA3),
        ("meta-llama/Llama-3.2-1B", LLAMA3),
        ("unsloth/llama-3-8b-bnb-4bit", LLAMA3),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", CHATML),
        ("Qwen/Qwen2.5-7B-Instruct", CHATML),
        ("Qwen/Qwen3-4B-Instruct-2507", CHATML),
    ],
)
def test_a_hub_id_is_known_by_its_family(name: str, format: Format) -> None:
    assert format_for(name) is format


@pytest.mark.parametrize(
    "name", ["mistralai/Mistral-7B-v0.3", "huggyllama/llama-30b", "NousResearch/Hermes-2-Pro-Llama-3-8B"]
)
def test_another_hub_id_is_told_what_is_known(name: str) -> None:
    with pytest.raises(UnknownFamily, match=r"llama3.*chatml") as raised:
        format_for(name)

    assert repr(name) in str(raised.value)


def test_a_folder_is_known_by_its_tokens(tmp_path: Path) -> None:
    assert format_for(model(tmp_path, HEADERS)) is LLAMA3
    assert format_for(str(model(tmp_path, TURNS))) is CHATML


def test_a_folder_without_the_fast_tokenizer_is_known_by_its_settings(tmp_path: Path) -> None:
    decoder = {str(token["id"]): token for token in HEADERS}

    assert format_for(model(tmp_path, config={"added_tokens_decoder": decoder})) is LLAMA3


@pytest.mark.parametrize("end", ["<|im_end|>", {"content": "<|im_end|>", "lstrip": False}])
def test_the_end_of_turn_decides_between_two_formats(tmp_path: Path, end: Any) -> None:
    assert format_for(model(tmp_path, [*HEADERS, *TURNS], {"eos_token": end})) is CHATML
    assert format_for(model(tmp_path, [*HEADERS, *TURNS], {"eos_token": "<|eot_id|>"})) is LLAMA3


def test_a_folder_of_another_family_is_told_what_was_seen(tmp_path: Path) -> None:
    tokens = [{"id": 1, "content": "<s>"}, {"id": 2, "content": "[INST]"}]

    with pytest.raises(UnknownFamily, match=r"<s>, \[INST\].*llama3.*chatml"):
        format_for(model(tmp_path, tokens))


def test_a_folder_without_a_tokenizer_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownFamily, match="has no tokenizer"):
        format_for(tmp_path)


def test_a_broken_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"added_tokens": [')

    with pytest.raises(UnknownFamily, match=r"tokenizer\.json cannot be read"):
        format_for(tmp_path)


@pytest.mark.parametrize("path", ["./models/llama-3", "/models/llama-3", "a/b/llama-3", Path("llama-3")])
def test_a_path_that_is_not_there_is_no_hub_id(path: str | Path) -> None:
    with pytest.raises(UnknownFamily, match="there is no folder"):
        format_for(path)
