"""Responses as the scripted upstream writes them: the object, and the typed events of a stream."""

from __future__ import annotations

from collections.abc import Iterator

from demo.upstream import chat
from demo.upstream.behaviour import Behaviour
from demo.upstream.chat import Json


def response(request: Json, behaviour: Behaviour, *, finished: bool = True) -> Json:
    prompt, completion = chat.words(request.get("input")), len(behaviour.deltas)
    usage = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": behaviour.cached_tokens},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }
    return {
        "id": chat.stable_id("resp_", request),
        "object": "response",
        "created_at": chat.CREATED,
        "status": "completed" if finished else "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": chat.served_model(request),
        "output": [_output_item("".join(behaviour.deltas))] if finished else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage if finished else None,
    }


def _output_item(text: str | None) -> Json:
    content = [] if text is None else [{"type": "output_text", "text": text, "annotations": []}]
    status = "in_progress" if text is None else "completed"
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": content}


def events(request: Json, behaviour: Behaviour) -> Iterator[Json]:
    for number, event in enumerate(_events(request, behaviour)):
        yield {**event, "sequence_number": number}


def _events(request: Json, behaviour: Behaviour) -> Iterator[Json]:
    text = "".join(behaviour.deltas)
    where: Json = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    yield {"type": "response.created", "response": response(request, behaviour, finished=False)}
    yield {"type": "response.in_progress", "response": response(request, behaviour, finished=False)}
    yield {"type": "response.output_item.added", "output_index": 0, "item": _output_item(None)}
    yield {"type": "response.content_part.added", **where, "part": part}
    for delta in behaviour.deltas:
        yield {"type": "response.output_text.delta", **where, "delta": delta, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": {**part, "text": text}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": _output_item(text)}
    yield {"type": "response.completed", "response": response(request, behaviour)}
