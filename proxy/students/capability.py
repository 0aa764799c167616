"""Whether a student can answer a request as its teacher would have, as far as the fields of the request tell.

Chat completions only, and of these: text in, text or function calls out, one choice. What changes nothing that the
student could give (who is billed, what is cached or kept) may stand there; a field that is not known may change
everything, so its request goes to the teacher.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

import msgspec

ENDPOINT = "/chat/completions"

MEANS_THE_SAME = frozenset(
    {
        "frequency_penalty",
        "function_call",
        "functions",
        "max_completion_tokens",
        "max_tokens",
        "model",
        "parallel_tool_calls",
        "presence_penalty",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
    }
)
CHANGES_NOTHING = frozenset(
    {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
_CHOICES = frozenset({"function", "allowed_tools"})
_FORMATS = frozenset({"text", "json_object", "json_schema"})
_KEPT = 32
"""Lists of tools whose verdict is remembered: an application sends the same few all day."""
_BRACKET = ord("[")
BYTES_PER_TOKEN = 3
"""Fewer than most text has, so that an answer has room beside a prompt that just fits."""


class _Typed(msgspec.Struct):
    type: str | None = None


class _Message(msgspec.Struct):
    """A message of any other role, or with sound, is refused while it is read."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: msgspec.Raw = msgspec.Raw(b"null")
    audio: None = None


_Check = Callable[[msgspec.Raw], bool]

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_messages = msgspec.json.Decoder(list[_Message]).decode
_typed = msgspec.json.Decoder(_Typed).decode
_all_typed = msgspec.json.Decoder(list[_Typed]).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def prompt_tokens(body: bytes) -> int | None:
    """How long the prompt is at most, roughly; None where a student cannot answer."""
    try:
        fields = _fields(body)
        if not all(_allows(name, value) for name, value in fields.items()):
            return None
    except _UNREADABLE:
        return None
    if "messages" not in fields:
        return None
    read = sum(_size(fields, name) for name in ("messages", "tools", "functions", "response_format"))
    return read // BYTES_PER_TOKEN


def _size(fields: Mapping[str, msgspec.Raw], name: str) -> int:
    value = fields.get(name)
    return 0 if value is None else len(memoryview(value))


def _allows(name: str, value: msgspec.Raw) -> bool:
    if name in MEANS_THE_SAME or name in CHANGES_NOTHING:
        return True
    if name != "messages" and _is(value, b"null"):
        return True
    check = _CHECKS.get(name)
    return check is not None and check(value)


def _is(value: msgspec.Raw, *texts: bytes) -> bool:
    return len(memoryview(value)) <= 8 and bytes(value) in texts


def _text_only(value: msgspec.Raw) -> bool:
    messages = _messages(value)
    lists = [message.content for message in messages if memoryview(message.content)[0] == _BRACKET]
    return bool(messages) and all(part.type == "text" for parts in lists for part in _all_typed(parts))


@lru_cache(_KEPT)
def _are_functions(tools: bytes) -> bool:
    return all(tool.type == "function" for tool in _all_typed(tools))


def _is_choice(value: msgspec.Raw) -> bool:
    return bytes(memoryview(value)[:1]) == b'"' or _typed(value).type in _CHOICES


_CHECKS: Mapping[str, _Check] = {
    "messages": _text_only,
    "tools": lambda value: _are_functions(bytes(value)),
    "tool_choice": _is_choice,
    "response_format": lambda value: _typed(value).type in _FORMATS,
    "n": lambda value: _is(value, b"1"),
    "logprobs": lambda value: _is(value, b"false"),
    "top_logprobs": lambda value: _is(value, b"0"),
    "logit_bias": lambda value: _is(value, b"{}"),
    "modalities": lambda value: msgspec.json.decode(value) == ["text"],
}
