"""A format: a template file, the parser that reads its tool calls back, and the base models that it is for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SERIALIZER_VERSION = 1
"""Goes up when ``canonical`` or ``render`` change what reaches a model although the template file did not change."""


@dataclass(frozen=True)
class Format:
    """How conversations are written for the base models of one kind of tokenizer."""

    name: str
    special_tokens: tuple[str, ...]
    """The special tokens that the template writes; a tokenizer that has them all can be served with it."""
    end_of_turn: str
    """The special token that ends a completion: the trainer appends it, the server stops at it."""
    model_names: str
    """A regular expression for the beginning of a hub id's last part, for a model that is not on this disk yet."""
    tool_parser: str = "hermes"
    """For vLLM's ``--tool-call-parser``."""

    @property
    def template_path(self) -> Path:
        """The file for vLLM's ``--chat-template``."""
        return Path(__file__).parent / f"{self.name}.jinja"

    @cached_property
    def template(self) -> str:
        """The text of the template."""
        return self.template_path.read_text(encoding="utf-8")

    @cached_property
    def template_hash(self) -> str:
        """Names all that decides how a conversation is written; an adapter is served only where it is the same."""
        return hashlib.sha256(f"{SERIALIZER_VERSION}\n{self.template}".encode()).hexdigest()


LLAMA3 = Format(
    name="llama3",
    special_tokens=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    end_of_turn="<|eot_id|>",
    model_names=r"(meta-)?llama-?3(?!\d)",
)
CHATML = Format(
    name="chatml",
    special_tokens=("<|im_start|>", "<|im_end|>"),
    end_of_turn="<|im_end|>",
    model_names=r"smollm2|qwen",
)
FORMATS = (LLAMA3, CHATML)
