"""Legacy completions as the scripted upstream writes them, whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator

from demo.upstream import chat
from demo.upstream.behaviour import Behaviour
from demo.upstream.chat import Json


def _text_completion(request: Json, text: str, finish_reason: str | None) -> Json:
    return {
        "id": chat.stable_id("cmpl-", request),
        "object": "text_completion",
        "created": chat.CREATED,
        "model": chat.served_model(request),
        "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}],
    }


def _text_usage(request: Json, behaviour: Behaviour) -> Json:
    prompt, completion = chat.words(request.get("prompt")), len(behaviour.deltas)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def completion(request: Json, behaviour: Behaviour) -> Json:
    answer = _text_completion(request, "".join(behaviour.deltas), "stop")
    return {**answer, "usage": _text_usage(request, behaviour)}


def chunks(request: Json, behaviour: Behaviour) -> Iterator[Json]:
    wants_usage = bool((request.get("stream_options") or {}).get("include_usage"))
    null: Json = {"usage": None} if wants_usage else {}
    for text in behaviour.deltas:
        yield {**_text_completion(request, text, None), **null}
    yield {**_text_completion(request, "", "stop"), **null}
    if wants_usage:
        yield {**_text_completion(request, "", None), "choices": [], "usage": _text_usage(request, behaviour)}
