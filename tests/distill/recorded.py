"""Exchanges filed in a data folder, as the recorder would have filed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nightschool.record import Price, new_id
from nightschool.store import wal
from nightschool.store.exchange import to_record
from nightschool.store.manifest import prepare_folder, publish
from nightschool.store.sealer import Sealer

NOON_US = 1_773_144_000_000_000
"""2026-03-10 12:00 UTC."""
DAY_US = 86_400_000_000
PRICES = {"gpt-x": Price(10.0, 20.0)}


class Exchange(NamedTuple):
    """A request with its answer; equal ones are as many as are given."""

    request: dict[str, Any]
    answer: dict[str, Any] | str = "because"
    time_us: int | None = None
    workload: str | None = None
    endpoint: str = "/chat/completions"
    status: int = 200
    finish_reason: str = "stop"
    target: str = "teacher"
    bodies: bool = True


def chat(
    system: str | None,
    question: str = "why?",
    *,
    tools: Sequence[str] = (),
    schema: str | None = None,
    model: str = "gpt-x",
) -> dict[str, Any]:
    """A chat completion request."""
    messages = [{"role": "user", "content": question}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    body: dict[str, Any] = {"model": model, "messages": messages}
    if tools:
        body["tools"] = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in tools]
    if schema:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": schema, "schema": {}}}
    return body


def call(name: str, arguments: str) -> dict[str, Any]:
    """An answer that calls a tool."""
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": function}]}


def record(folder: Path, exchanges: Iterable[Exchange]) -> Path:
    """File them, a minute apart where they tell no time; returns the folder."""
    prepare_folder(folder)
    with Sealer(folder) as sealer:
        for number, exchange in enumerate(exchanges):
            sealer.add(to_record(*_frames(exchange, number), PRICES))
        sealer.seal()
        publish(folder, sealer.added_to)
    return folder


def _frames(exchange: Exchange, number: int) -> tuple[wal.Request, bytes, wal.End, bytes]:
    time_us = NOON_US + number * 60_000_000 if exchange.time_us is None else exchange.time_us
    identity = new_id(time_us, number.to_bytes(10, "big"))
    request = wal.Request(
        id=identity,
        time_us=time_us,
        endpoint=exchange.endpoint,
        content_type="application/json",
        workload=exchange.workload,
        target=exchange.target,
        bodies=exchange.bodies,
        upstream="main",
    )
    end = wal.End(id=identity, status=exchange.status, content_type="application/json", latency_us=1_500)
    message = {"content": exchange.answer} if isinstance(exchange.answer, str) else exchange.answer
    response = {
        "object": "chat.completion",
        "model": "gpt-x",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": exchange.finish_reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    }
    return request, msgspec.json.encode(exchange.request), end, msgspec.json.encode(response)
