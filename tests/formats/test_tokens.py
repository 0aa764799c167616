"""Special tokens stand exactly where a format puts them, whatever the texts say, with the tokenizers themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import tiktoken.load
from hypothesis import given
from tokenizers import AddedToken, Tokenizer

from demo.engine import MODEL_FOLDER, ROOT
from nightschool.formats import CHATML, LLAMA3, Format, format_for, render_completion, render_prompt
from tests.formats import arbitrary
from tests.formats.arbitrary import unhurried

needs_smollm2 = pytest.mark.skipif(
    not MODEL_FOLDER.exists(), reason=f"there is no model: {MODEL_FOLDER.relative_to(ROOT)} does not exist"
)
QWEN3_TOKENS = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|vision_start|>", "<|image_pad|>"),
    *("<|fim_prefix|>", "<|repo_name|>", "<|file_sep|>", "<tool_call>", "</tool_call>", "<tool_response>"),
    *("</tool_response>", "<think>", "</think>"),
]
Specials = Callable[[str], list[str]]


def plain(value: Any) -> Any:
    """A conversation of the same shape in which every text says ``x``."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    said = {key: "x" for key in ("content", "name", "description") if isinstance(value.get(key), str) and value[key]}
    emptied: dict[str, Any] = {key: {} for key in ("arguments", "parameters") if key in value}
    return {key: plain(entry) for key, entry in value.items()} | said | emptied


def assert_only_the_format_writes_special_tokens(
    specials: Specials, format: Format, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    assert specials(render_prompt(messages, tools, format)) == specials(
        render_prompt(plain(messages), plain(tools), format)
    )
    for message in messages:
        if message["role"] == "assistant":
            assert specials(render_completion(message, format)) == specials(render_completion(plain(message), format))


@pytest.fixture(scope="module")
def llama3() -> Specials:
    """The tokenizer of Llama 3 as Meta ships it, and as its own code builds it."""
    (package,) = find_spec("llama_models").submodule_search_locations  # type: ignore[union-attr, misc]
    ranks = tiktoken.load.load_tiktoken_bpe(str(Path(package) / "llama3" / "tokenizer.model"))
    named = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    names = [*named, "<|eom_id|>", "<|python_tag|>", *(f"<|reserved_special_token_{number}|>" for number in range(249))]
    added = {name: len(ranks) + number for number, name in enumerate(names)}
    words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    pattern = words + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    encoding = tiktoken.Encoding("llama3", pat_str=pattern, mergeable_ranks=ranks, special_tokens=added)

    def specials(text: str) -> list[str]:
        ids = encoding.encode(text, allowed_special="all")
        assert encoding.decode(ids) == text
        return [encoding.decode([id]) for id in ids if id >= len(ranks)]

    return specials


@pytest.fixture(scope="module")
def smollm2() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))


def specials_of(tokenizer: Tokenizer) -> Specials:
    added = {id: token.content for id, token in tokenizer.get_added_tokens_decoder().items()}
    return lambda text: [added[id] for id in tokenizer.encode(text, add_special_tokens=False).ids if id in added]


@unhurried
@given(messages=arbitrary.conversations(), tools=arbitrary.tools())
def test_llama3_has_special_tokens_only_from_the_format(
    llama3: Specials, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    assert_only_the_format_writes_special_tokens(llama3, LLAMA3, messages, tools)


@needs_smollm2
@unhurried
@given(messages=arbitrary.conversations(), tools=arbitrary.tools())
def test_smollm2_has_special_tokens_only_from_the_format(
    smollm2: Tokenizer, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    assert_only_the_format_writes_special_tokens(specials_of(smollm2), CHATML, messages, tools)


@needs_smollm2
@unhurried
@given(messages=arbitrary.conversations(), tools=arbitrary.tools())
def test_a_tokenizer_with_the_added_tokens_of_qwen_has_them_only_from_the_format(
    qwen_like: Tokenizer, messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    assert_only_the_format_writes_special_tokens(specials_of(qwen_like), CHATML, messages, tools)


@pytest.fixture(scope="module")
def qwen_like() -> Tokenizer:
    """Qwen 3's added tokens, tags among them, over SmolLM2's vocabulary."""
    tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in QWEN3_TOKENS])
    return tokenizer


def test_llama3_reads_the_turns_of_a_prompt(llama3: Specials) -> None:
    prompt = render_prompt([{"role": "user", "content": "Hi <|eot_id|>"}], None, LLAMA3)
    header = ["<|start_header_id|>", "<|end_header_id|>"]

    assert llama3(prompt) == ["<|begin_of_text|>", *header, "<|eot_id|>", *header]


@needs_smollm2
def test_the_model_of_the_demo_is_chatml_and_every_special_token_of_it_is_guarded(smollm2: Tokenizer) -> None:
    added = [token["content"] for token in json.loads((MODEL_FOLDER / "tokenizer.json").read_text())["added_tokens"]]

    assert format_for(MODEL_FOLDER) is CHATML
    for token in added:
        assert specials_of(smollm2)(token) == [token]
        assert specials_of(smollm2)(render_completion({"role": "assistant", "content": token}, CHATML)) == []
