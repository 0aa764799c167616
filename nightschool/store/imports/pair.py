"""Request/response JSONL: ``{"request": {...}, "response": {...}}`` with what else the line tells about the call."""

from __future__ import annotations

from typing import Any

from nightschool.store.imports import told
from nightschool.store.imports.candidate import Candidate, chat_request, completion, messages_in
from nightschool.store.imports.item import Unreadable

_USED = (
    "request",
    "response",
    "status",
    "status_code",
    "latency_ms",
    "workload",
    "conversation",
    "endpoint",
    "url",
    "id",
)


def from_pair(item: dict[str, Any]) -> list[Candidate]:
    """The exchange of one line."""
    request = _request(item["request"])
    latency_ms = item.get("latency_ms")
    labels = item.get("tags", item.get("metadata"))
    return [
        Candidate(
            request=request,
            response=_response(item["response"], request),
            endpoint=endpoint_of(item, request),
            time_us=told.time_us(item) or _created_us(item["response"]),
            status=_status(item),
            latency_us=round(latency_ms * 1000) if isinstance(latency_ms, int | float) else None,
            workload=_text(item, "workload"),
            conversation=_text(item, "conversation"),
            tags=_labels(labels) if isinstance(labels, dict) else told.tags(item, used=_USED),
            score=told.score(item),
        )
    ]


def endpoint_of(item: dict[str, Any], request: dict[str, Any]) -> str:
    """The path below the API base: as the file tells it, else what the request looks like."""
    path = _text(item, "endpoint") or _text(item, "url")
    if path:
        return "/" + path.split("/v1/")[-1].strip("/")
    if "messages" in request:
        return "/chat/completions"
    return "/completions" if "prompt" in request else "/responses"


def _request(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return chat_request(messages_in(value), {})
    if not isinstance(value, dict):
        raise Unreadable("has a request that is neither an object nor a list of messages")
    return value


def _response(value: Any, request: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, str):
        value = {"role": "assistant", "content": value}
    if not isinstance(value, dict):
        raise Unreadable("has a response that is neither an object nor text")
    return completion(value, request.get("model")) if value.get("role") == "assistant" else value


def _status(item: dict[str, Any]) -> int:
    status = item.get("status", item.get("status_code"))
    if status is None:
        return 500 if isinstance(item["response"], dict) and item["response"].get("error") else 200
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise Unreadable(f"has status = {status!r}, which is no HTTP status")
    return status


def _created_us(response: Any) -> int | None:
    """When the upstream says it answered: within a second of the request's end, and better than nothing."""
    try:
        return told.time_us({"created": response.get("created") or response.get("created_at")})
    except (AttributeError, Unreadable):
        return None


def _labels(given: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else str(value) for name, value in given.items()}


def _text(item: dict[str, Any], name: str) -> str | None:
    value = item.get(name)
    return value if isinstance(value, str) and value else None
