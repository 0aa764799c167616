"""The tokens of a byte-level tokenizer as the bytes that they stand for.

Such a tokenizer (GPT-2's, and since then Llama 3's, Qwen's, SmolLM's) spells every byte as one printable letter. The
alphabet is that of OpenAI's ``bytes_to_unicode``: printable bytes stand for themselves, the others follow from U+0100.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import decoders

_ITSELF = (*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1))
_OTHERS = tuple(byte for byte in range(256) if byte not in _ITSELF)
LETTERS = {chr(byte): byte for byte in _ITSELF} | {chr(256 + number): byte for number, byte in enumerate(_OTHERS)}
"""Letter -> byte."""


class Vocabulary:
    """Both ways: what an id writes, and which id writes something."""

    def __init__(self, spelled: Mapping[str, int], added: Mapping[str, int]) -> None:
        """``spelled`` are tokens in letters; ``added`` are those that are written as they are, special ones too."""
        self._bytes = {number: text.encode() for text, number in added.items()}
        self._ids: dict[bytes, int] = {}
        for text, number in spelled.items():
            if number not in self._bytes and (data := _bytes_of(text)) is not None:
                self._bytes[number] = data
                self._ids[data] = number

    def bytes_of(self, number: int) -> bytes | None:
        """None for what is no token."""
        return self._bytes.get(number)

    def id_of(self, data: bytes) -> int | None:
        """The token that writes exactly this, never an added one: text cannot ask for those."""
        return self._ids.get(data)


def vocabulary_of(tokenizer: Any) -> Vocabulary | None:
    """Of a tokenizer of transformers; None where it is not one of bytes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.decoder, decoders.ByteLevel):
        return None
    added = {token.content: number for number, token in tokenizer.added_tokens_decoder.items()}
    return Vocabulary(tokenizer.get_vocab(), added)


def _bytes_of(text: str) -> bytes | None:
    try:
        return bytes(LETTERS[letter] for letter in text)
    except KeyError:
        return None
