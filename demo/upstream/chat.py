"""Chat completions as the scripted upstream writes them: the object, and the chunks of a stream.

All follows from request and behaviour, so the same request gets the same bytes every time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from demo.upstream.behaviour import Behaviour

Json = dict[str, Any]
CREATED = 1_760_000_000


def stable_id(prefix: str, request: Json) -> str:
    """The same for the same model and messages."""
    asked = json.dumps([request.get(key) for key in ("model", "messages", "input", "prompt")], sort_keys=True)
    return prefix + hashlib.sha256(asked.encode()).hexdigest()[:24]


def served_model(request: Json) -> str:
    """As real upstreams do, answer with a dated name for the alias that was asked for."""
    return f"{request.get('model', 'scripted')}-2026-05-01"


def words(value: Any) -> int:
    """Tokens as the scripted upstream counts them: words of every string in ``value``."""
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, dict):
        return sum(words(item) for item in value.values())
    return sum(words(item) for item in value) if isinstance(value, list) else 0


def calls_tools(request: Json) -> bool:
    """Whether the answer is made of tool calls: tools are there and the last word is not a tool's."""
    messages = request.get("messages") or [{}]
    return bool(request.get("tools")) and request.get("tool_choice") != "none" and messages[-1].get("role") != "tool"


def usage(request: Json, behaviour: Behaviour) -> Json:
    """Tokens of the answer: one for each delta, or for each fragment of arguments."""
    prompt = words([message.get("content") for message in request.get("messages") or []])
    parts = (
        len(behaviour.arguments) * behaviour.tool_calls
        if calls_tools(request)
        else len(answer_deltas(request, behaviour))
    )
    completion = parts * int(request.get("n") or 1)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": behaviour.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def answer_deltas(request: Json, behaviour: Behaviour) -> tuple[str, ...]:
    """The text in parts; JSON where the request wants JSON."""
    if (request.get("response_format") or {}).get("type") in ("json_object", "json_schema"):
        return ('{"answer"', ": ", "42}")
    return behaviour.deltas


def completion(request: Json, behaviour: Behaviour) -> Json:
    """The body of an answer that is not streamed."""
    return {
        "id": stable_id("chatcmpl-", request),
        "object": "chat.completion",
        "created": CREATED,
        "model": served_model(request),
        "choices": [_choice(index, request, behaviour) for index in range(int(request.get("n") or 1))],
        "usage": usage(request, behaviour),
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
    }


def _choice(index: int, request: Json, behaviour: Behaviour) -> Json:
    message: Json = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    if calls_tools(request):
        message["tool_calls"] = [
            {**_call(request, index, position), "function": _function(request, position, "".join(behaviour.arguments))}
            for position in range(behaviour.tool_calls)
        ]
    else:
        message["content"] = "".join(answer_deltas(request, behaviour))
    logprobs = _logprobs(request, () if calls_tools(request) else answer_deltas(request, behaviour))
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": _finish_reason(request)}


def _logprobs(request: Json, texts: Iterable[str]) -> Json | None:
    """Each text as one token with the alternatives that were asked for; None for whoever did not ask, and for calls."""
    if request.get("logprobs") is not True or calls_tools(request):
        return None
    alternatives = range(int(request.get("top_logprobs") or 0))
    content = [
        _token(text, 0) | {"top_logprobs": [_token(text + "~" * number, number) for number in alternatives]}
        for text in texts
    ]
    return {"content": content, "refusal": None}


def _token(text: str, rank: int) -> Json:
    return {"token": text, "logprob": -0.25 - rank, "bytes": list(text.encode())}


def _finish_reason(request: Json) -> str:
    return "tool_calls" if calls_tools(request) else "stop"


def _call(request: Json, choice: int, position: int) -> Json:
    return {"id": stable_id("call_", request) + f"_{choice}_{position}", "type": "function"}


def _function(request: Json, position: int, arguments: str) -> Json:
    tools = request["tools"]
    return {"name": tools[position % len(tools)]["function"]["name"], "arguments": arguments}


def chunks(request: Json, behaviour: Behaviour) -> Iterator[Json]:
    """The objects of a stream: the choices' deltas interleaved, their ends, and usage for whoever asked."""
    wants_usage = bool((request.get("stream_options") or {}).get("include_usage"))
    for number, choices in enumerate(_stream_choices(request, behaviour)):
        chunk = _chunk(request, choices)
        if wants_usage:
            chunk["usage"] = None
        if behaviour.obfuscation:
            chunk["obfuscation"] = "x7Kq"[: number % 5]
        yield chunk
    if wants_usage:
        yield {**_chunk(request, []), "usage": usage(request, behaviour)}


def _chunk(request: Json, choices: list[Json]) -> Json:
    return {
        "id": stable_id("chatcmpl-", request),
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": served_model(request),
        "service_tier": "default",
        "system_fingerprint": "fp_scripted",
        "choices": choices,
    }


def _stream_choices(request: Json, behaviour: Behaviour) -> Iterator[list[Json]]:
    count = int(request.get("n") or 1)

    def each(delta: Json, finish_reason: str | None = None) -> Iterator[list[Json]]:
        texts = list(filter(None, [delta.get("content")]))
        logprobs = None if finish_reason else _logprobs(request, texts)
        for index in range(count):
            yield [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}]

    yield from each({"role": "assistant", "content": None if calls_tools(request) else "", "refusal": None})
    if calls_tools(request):
        for delta in _call_deltas(request, behaviour):
            yield from each(delta)
    else:
        for text in answer_deltas(request, behaviour):
            yield from each({"content": text})
    yield from each({}, _finish_reason(request))


def _call_deltas(request: Json, behaviour: Behaviour) -> Iterator[Json]:
    """Parallel calls interleave: all their heads, then fragment by fragment."""
    for position in range(behaviour.tool_calls):
        head = {"index": position, **_call(request, 0, position), "function": _function(request, position, "")}
        yield {"tool_calls": [head]}
    for fragment in behaviour.arguments:
        for position in range(behaviour.tool_calls):
            yield {"tool_calls": [{"index": position, "function": {"arguments": fragment}}]}
