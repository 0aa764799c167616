"""Which endpoint a request is for: a request and a behaviour -> an answer in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from demo.upstream import chat, completions, embeddings, responses
from demo.upstream.behaviour import Behaviour
from demo.upstream.chat import Json
from demo.upstream.events import chat_events, dump, error_object, typed_events, unsupported
from demo.upstream.seen import Seen

_EVENT_STREAM = "text/event-stream; charset=utf-8"
_DOWNLOAD_PIECE = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class Answer:
    """What is to be sent. ``length`` is None for a stream."""

    status: int
    content_type: str
    pieces: Iterable[bytes]
    length: int | None


def answer_to(seen: Seen, behaviour: Behaviour) -> Answer:
    """The answer to a request whose body is complete, or refused unread."""
    if behaviour.status in (204, 304):
        return Answer(behaviour.status, "", (), None)
    if behaviour.body is not None:
        return _whole(behaviour.body, behaviour, behaviour.content_type)
    if behaviour.status >= 400:
        return _error(behaviour, behaviour.status)
    if seen.method == "GET" or seen.method == "HEAD":
        return _get(seen, behaviour)
    if "multipart/" in (seen.header("content-type") or ""):
        return _json(_upload(seen), behaviour)
    return _post(seen, behaviour)


def _get(seen: Seen, behaviour: Behaviour) -> Answer:
    if seen.path.endswith("/models"):
        models = [
            {"id": name, "object": "model", "created": chat.CREATED, "owned_by": "scripted"} for name in ("a", "b")
        ]
        return _json({"object": "list", "data": models}, behaviour)
    if seen.path.endswith("/content"):
        return _download(behaviour)
    return _echo(seen, behaviour)


def _post(seen: Seen, behaviour: Behaviour) -> Answer:
    if seen.path.endswith("/audio/speech"):
        return _download(behaviour)
    endpoint = next((suffix for suffix in _JSON_ENDPOINTS if seen.path.endswith(suffix)), None)
    if endpoint is None:
        return _echo(seen, behaviour)
    try:
        request = seen.json()
    except (ValueError, RecursionError):
        return _error(behaviour, 400)
    if not isinstance(request, dict):
        return _error(behaviour, 400)
    refused = next((name for name in behaviour.refuses if name in request), None)
    if refused is not None:
        return _whole(dump(unsupported(refused), behaviour), replace(behaviour, status=400), "application/json")
    if request.get("stream") and endpoint in _STREAMS:
        return Answer(behaviour.status, _EVENT_STREAM, _STREAMS[endpoint](request, behaviour), None)
    return _json(_JSON_ENDPOINTS[endpoint](request, behaviour), behaviour)


def _json(value: Json, behaviour: Behaviour) -> Answer:
    return _whole(dump(value, behaviour), behaviour, "application/json")


def _error(behaviour: Behaviour, status: int) -> Answer:
    body = dump(error_object(status), behaviour)
    return Answer(status, "application/json", (body,), len(body))


def _whole(body: bytes, behaviour: Behaviour, content_type: str) -> Answer:
    # In four pieces, so that there is a middle in which to fail.
    step = max(1, -(-len(body) // 4))
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    return Answer(behaviour.status, content_type, pieces, len(body))


def _download(behaviour: Behaviour) -> Answer:
    def pieces() -> Iterator[bytes]:
        for start in range(0, behaviour.download_bytes, len(_DOWNLOAD_PIECE)):
            yield _DOWNLOAD_PIECE[: behaviour.download_bytes - start]

    return Answer(behaviour.status, "audio/mpeg", pieces(), behaviour.download_bytes)


def _upload(seen: Seen) -> Json:
    return {
        "id": "file-" + seen.body_sha256[:24],
        "object": "file",
        "bytes": seen.body_bytes,
        "created_at": chat.CREATED,
        "filename": "upload",
        "purpose": "fine-tune",
        "status": "processed",
        "sha256": seen.body_sha256,
    }


def _echo(seen: Seen, behaviour: Behaviour) -> Answer:
    echo = {"method": seen.method, "target": seen.target, "headers": seen.headers}
    return _json({**echo, "body_bytes": seen.body_bytes, "body_sha256": seen.body_sha256}, behaviour)


_JSON_ENDPOINTS: dict[str, Callable[[Json, Behaviour], Json]] = {
    "/chat/completions": chat.completion,
    "/completions": completions.completion,
    "/embeddings": embeddings.embeddings,
    "/responses": responses.response,
}
"""Longer names come first, since a path is matched by its end."""

_STREAMS: dict[str, Callable[[Json, Behaviour], Iterator[bytes]]] = {
    "/chat/completions": lambda request, behaviour: chat_events(chat.chunks(request, behaviour), behaviour),
    "/completions": lambda request, behaviour: chat_events(completions.chunks(request, behaviour), behaviour),
    "/responses": lambda request, behaviour: typed_events(responses.events(request, behaviour), behaviour),
}
