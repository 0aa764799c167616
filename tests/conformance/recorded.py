"""Whether the store holds what each client asked and was answered, told from the upstream's script alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from demo.upstream.behaviour import Behaviour, Fault
from demo.upstream.endpoints import answer_to
from demo.upstream.seen import Seen
from tests.conformance.compare import first_difference
from tests.conformance.script import Script
from tests.running import Row

Json = dict[str, Any]
_READ_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses")


@dataclass(frozen=True)
class Told:
    """One request without nightschool and the same with it: what the client sent, and what became of it."""

    sent: Seen
    passed: Seen


def difference(told: Sequence[Told], rows: Sequence[Row]) -> str:
    """The first way in which the record of one client, oldest exchange first, is not what happened; empty for none."""
    if len(told) != len(rows):
        return f"{len(told)} requests, {len(rows)} records"
    script = Script()
    for number, (exchange, row) in enumerate(zip(told, rows, strict=True)):
        expected = _expected(exchange, script)
        found = {name: _found(name, row) for name in expected}
        if found_difference := first_difference(expected, found):
            return f"exchange {number} ({exchange.sent.target}, {row['model_requested']}): {found_difference}"
    return ""


def _expected(exchange: Told, script: Script) -> Json:
    """Columns by name, and ``choices`` for what was said."""
    sent, body = exchange.sent, _json(exchange.sent)
    path = sent.path.removeprefix("/v1")
    behaviour = script.behaviour(body) if body is not None else Behaviour()
    asked: Json = {"method": sent.method, "endpoint": path, "target": "teacher", "workload": None}
    if body is not None:
        asked |= {"request": body, "model_requested": body.get("model")}
    if exchange.passed.cancelled is not None:
        return {**asked, "complete": False}
    return {**asked, **_answer(exchange, body, behaviour, known=path in _READ_ENDPOINTS)}


def _answer(exchange: Told, body: Json | None, behaviour: Behaviour, *, known: bool) -> Json:
    streamed = bool(body and body.get("stream"))
    match behaviour.fault:
        case Fault.CLOSE if behaviour.after < 0:
            return {"status": 502, "complete": False, "error_type": "upstream_broken"}
        case Fault.CLOSE:
            return {"status": 200, "complete": False, "error_type": "upstream_broken", "stream": streamed}
        case Fault.ERROR_EVENT:
            return {"status": 200, "stream": streamed}
    answer = {"status": behaviour.status, "complete": True, "stream": streamed}
    if not known:
        return answer
    whole = _whole(exchange.sent, body or {}, behaviour)
    if behaviour.status >= 400:
        return {**answer, "response": whole}
    columns = {"error_type": None, **_columns(whole), "logprobs": _taken_logprobs(whole)}
    return {**answer, **columns, **({"said": said(whole)} if streamed else {"response": whole})}


def _taken_logprobs(whole: Json) -> Any:
    """Log probabilities of each choice, which have a column of their own; ``whole`` has null in their place then."""
    choices = whole.get("choices") or []
    taken = [choice["logprobs"] for choice in choices]
    for choice in choices:
        choice["logprobs"] = None
    return taken if any(taken) else None


def _whole(sent: Seen, body: Json, behaviour: Behaviour) -> Json:
    """The upstream's answer as it would be without a stream."""
    plain = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
    request = Seen(sent.connection, sent.method, sent.target, sent.headers, json.dumps(plain).encode())
    whole: Json = json.loads(b"".join(answer_to(request, behaviour).pieces))
    return whole


def _columns(whole: Json) -> Json:
    """The columns that are read from an answer."""
    usage, choices = whole["usage"], whole.get("choices") or [{}]
    prompt = usage.get("prompt_tokens", usage.get("input_tokens"))
    return {
        "model_served": whole["model"],
        "system_fingerprint": whole.get("system_fingerprint"),
        "finish_reason": choices[0].get("finish_reason") or whole.get("status"),
        "prompt_tokens": prompt,
        "completion_tokens": usage["total_tokens"] - prompt,
    }


def said(answer: Json) -> Any:
    """What an answer says: each choice's text and calls, or the items of a response."""
    if "output" in answer:
        return answer["output"]
    return [
        {
            "finish_reason": choice["finish_reason"],
            "content": (choice.get("message") or choice).get("content", choice.get("text")),
            "tool_calls": (choice.get("message") or {}).get("tool_calls"),
        }
        for choice in answer["choices"]
    ]


def _found(name: str, row: Row) -> Any:
    if name in ("request", "response", "logprobs"):
        return None if row[name] is None else json.loads(row[name])
    return said(json.loads(row["response"])) if name == "said" else row[name]


def _json(seen: Seen) -> Json | None:
    try:
        body: Json = seen.json()
    except ValueError:
        return None
    return body
