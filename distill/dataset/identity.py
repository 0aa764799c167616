"""What makes two prompts the same: keys of 64 bits for inputs, answered inputs and conversations.

The keys are kept in the table ``splits`` for ever: a change in this file makes strangers of all that was ever assigned.

White space does not count, nor do the ids of tool calls (only which result belongs to which call), nor how a client
spells the JSON of arguments when it sends them back. A chain of hashes gives every prefix of a conversation its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple

from nightschool.wire import json_text

_CHAIN = b"nightschool chat 1"
_CONVERSATION = b"nightschool conversation 1\0"
_FRAME = b"nightschool frame 1\0"


class Keys(NamedTuple):
    """Of one prompt and the answer to it."""

    input: int
    """Of all messages of the prompt."""
    answered: int | None
    """Of the prompt and its answer: what a later prompt of the same conversation begins with."""
    prefixes: list[int]
    """Of the prompt up to each assistant message in it."""


def keys_of(messages: Iterable[Mapping[str, Any]], answer: Mapping[str, Any] | None) -> Keys:
    """The keys of a prompt, in one pass."""
    ids: dict[Any, int] = {}
    state, prefixes = _CHAIN, []
    for message in messages:
        state = _next(state, message, ids)
        if message.get("role") == "assistant":
            prefixes.append(_number(state))
    return Keys(_number(state), _number(_next(state, answer, ids)) if answer else None, prefixes)


def beginnings_of(messages: Iterable[Mapping[str, Any]]) -> list[int]:
    """The key of every beginning of a conversation as an input: of its first message, of its first two, and so on."""
    ids: dict[Any, int] = {}
    state, keys = _CHAIN, []
    for message in messages:
        state = _next(state, message, ids)
        keys.append(_number(state))
    return keys


def conversation_key(name: str) -> int:
    """Of a conversation that the application named."""
    return _number(blake2b(_CONVERSATION + name.encode("utf-8", "replace"), digest_size=8).digest())


def frame_key(*parts: bytes) -> int:
    """Of what stands around the messages: tools, tool choice, response format."""
    return _number(blake2b(_FRAME + b"\0".join(parts), digest_size=8).digest())


def joined(first: int, second: int) -> int:
    """One key of two."""
    text = first.to_bytes(8, "big", signed=True) + second.to_bytes(8, "big", signed=True)
    return _number(blake2b(text, digest_size=8).digest())


def _next(state: bytes, message: Mapping[str, Any], ids: dict[Any, int]) -> bytes:
    return blake2b(state + json_text.canonical(_essence(message, ids)), digest_size=8).digest()


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


def _essence(message: Mapping[str, Any], ids: dict[Any, int]) -> list[Any]:
    role, content = message.get("role"), message.get("content")
    essence = [role, _text(content)]
    if message.get("refusal"):
        essence.append(["refusal", _text(message["refusal"])])
    if calls := message.get("tool_calls"):
        essence += [_call(call, ids) for call in calls] if isinstance(calls, list) else [calls]
    if legacy := message.get("function_call"):
        essence.append(_function(legacy))
    if (answers := message.get("tool_call_id")) is not None:
        essence.append(_ordinal(answers, ids))
    return essence


def _text(content: Any) -> Any:
    """Words of a text; parts that are texts count as one, and nothing as the empty text."""
    if content is None or isinstance(content, str):
        return " ".join((content or "").split())
    if isinstance(content, list) and all(_is_text(part) for part in content):
        return " ".join(" ".join(part["text"] for part in content).split())
    return content


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _call(call: Any, ids: dict[Any, int]) -> Any:
    if not isinstance(call, dict):
        return call
    return [_ordinal(call.get("id"), ids), _function(call.get("function"))]


def _ordinal(identity: Any, ids: dict[Any, int]) -> int:
    return ids.setdefault(identity if isinstance(identity, str) else None, len(ids))


def _function(function: Any) -> Any:
    if not isinstance(function, dict):
        return function
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        with suppress(ValueError):
            arguments = json_text.decode(arguments.encode("utf-8", "replace"))
    return [function.get("name"), arguments]
