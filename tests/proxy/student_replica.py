"""What vLLM streams, event by event, for a replica that is a scripted upstream."""

from __future__ import annotations

import json
from typing import Any

from demo.upstream.behaviour import Behaviour

Json = dict[str, Any]
USAGE = {"prompt_tokens": 11, "total_tokens": 16, "completion_tokens": 5, "prompt_tokens_details": None}
HEAD = {"id": "chatcmpl-1a2b", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "the adapter"}


def chunk(delta: Json, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason, "token_ids": None}
    if finish_reason:
        choice["stop_reason"] = None
    return json.dumps({**HEAD, "choices": [choice], "prompt_token_ids": None}).encode()


def stream(*deltas: Json, finish_reason: str | None = "stop", usage: Json | None = USAGE) -> tuple[bytes, ...]:
    """Data of the events of one answer."""
    events = [chunk({"role": "assistant", "content": ""}), *(chunk(delta) for delta in deltas)]
    if finish_reason is not None:
        events.append(chunk({}, finish_reason))
    if usage is not None:
        events.append(json.dumps({**HEAD, "choices": [], "usage": usage}).encode())
    return (*events, b"[DONE]")


def said(*pieces: str, finish_reason: str = "stop", usage: Json | None = USAGE) -> Behaviour:
    """An answer in words."""
    deltas = [{"content": piece} for piece in pieces]
    return Behaviour(events=stream(*deltas, finish_reason=finish_reason, usage=usage))


def call_deltas(index: int, name: str, *arguments: str) -> list[Json]:
    """A call as vLLM streams it."""
    head = {
        "index": index,
        "id": f"chatcmpl-tool-{index}",
        "type": "function",
        "function": {"name": name, "arguments": ""},
    }
    rest = [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in arguments]
    return [{"tool_calls": [head]}, *rest]


def called(name: str, *arguments: str) -> Behaviour:
    """One tool call."""
    return Behaviour(events=stream(*call_deltas(0, name, *arguments), finish_reason="tool_calls"))
