"""A candidate: one exchange as an import file tells it, before it has an id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from nightschool.record import Price, Record, new_id
from nightschool.store import wal
from nightschool.store.exchange import to_record
from nightschool.store.imports.item import Unreadable

_encode = msgspec.json.encode


class Candidate(msgspec.Struct, kw_only=True, frozen=True):
    """What is not told stays null in the record."""

    request: Any
    response: Any
    endpoint: str = "/chat/completions"
    time_us: int | None = None
    status: int = 200
    latency_us: int | None = None
    workload: str | None = None
    conversation: str | None = None
    tags: dict[str, str] = {}
    score: float | None = None
    """Becomes a row of feedback."""


def key_of(candidate: Candidate, occurrence: int) -> bytes:
    """What makes a candidate the same when it is imported again; ``occurrence`` counts equal ones in one file."""
    told = [candidate.endpoint, candidate.request, candidate.response, candidate.conversation, candidate.time_us]
    return digest_of([*told, occurrence])


def digest_of(value: Any) -> bytes:
    """Of what JSON means: order of keys and white space do not count."""
    return hashlib.sha256(_encode(value, order="sorted")).digest()


def record_of(candidate: Candidate, *, time_us: int, key: bytes, prices: Mapping[str, Price]) -> Record:
    """The record; its id is made of its time and ``key``, so that it is known again."""
    identity = new_id(time_us, key[:10])
    request = wal.Request(
        id=identity,
        time_us=time_us,
        endpoint=candidate.endpoint,
        content_type="application/json",
        workload=candidate.workload,
        conversation=candidate.conversation,
        reason="import",
        upstream="import",
        tags=candidate.tags,
    )
    end = wal.End(
        id=identity,
        status=candidate.status,
        content_type="application/json",
        latency_us=candidate.latency_us or 0,
    )
    record = to_record(request, _encode(candidate.request), end, _encode(candidate.response), prices)
    latency_ms = None if candidate.latency_us is None else record.latency_ms
    return msgspec.structs.replace(record, latency_ms=latency_ms, overhead_ms=None)


def completion(message: dict[str, Any], model: str | None) -> dict[str, Any]:
    """The least that a chat completion is, around an assistant message."""
    choice = {"index": 0, "message": message, "finish_reason": None}
    body: dict[str, Any] = {"object": "chat.completion", "choices": [choice]}
    return body if model is None else {**body, "model": model}


def messages_in(value: Any) -> list[dict[str, Any]]:
    """``value`` if it is a list of chat messages."""
    if not isinstance(value, list) or not value:
        raise Unreadable("has no messages")
    for index, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Unreadable(f"message {index} has no role")
    return value


def chat_request(messages: list[dict[str, Any]], told: dict[str, Any]) -> dict[str, Any]:
    """A request with these messages, and the model and tools that the file tells."""
    fields = {name: told[name] for name in ("model", "tools", "functions", "response_format") if told.get(name)}
    return {**fields, "messages": messages}
