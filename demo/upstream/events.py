"""Objects -> server-sent events, with the oddities that a behaviour asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from demo.upstream.behaviour import Behaviour, Fault
from demo.upstream.chat import Json

ERRORS = {
    400: ("invalid_request_error", None, "We could not parse the JSON body of your request."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("permission_error", None, "You are not allowed to sample from this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached."),
}


def error_object(status: int) -> Json:
    """OpenAI's error object for a status."""
    kind, code, message = ERRORS.get(status, ("server_error", None, "The scripted upstream failed as it was told to."))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def unsupported(parameter: str) -> Json:
    """The error object for a member of the request that a model does not take."""
    message = f"Unsupported parameter: '{parameter}' is not supported with this model."
    return {"error": {"message": message, "type": "invalid_request_error", "param": parameter, "code": "unsupported"}}


def dump(value: Json, behaviour: Behaviour) -> bytes:
    """JSON the way the behaviour writes it."""
    separators = (", ", ": ") if behaviour.spaced else (",", ":")
    return json.dumps(value, ensure_ascii=behaviour.ascii, separators=separators).encode()


def chat_events(objects: Iterable[Json], behaviour: Behaviour) -> Iterator[bytes]:
    """Unnamed events and ``[DONE]``, as chat completions and legacy completions are streamed."""
    end = behaviour.newline.encode()
    for number, data in enumerate(behaviour.events or (dump(item, behaviour) for item in objects)):
        if number == behaviour.after and behaviour.fault is Fault.ERROR_EVENT:
            yield b"data: " + dump(error_object(500), behaviour) + end + end
            return
        if number == behaviour.after and behaviour.fault is Fault.INVALID_UTF8:
            data = data.replace(b'"delta":{', b'"delta":{"broken":"\xff\xfe\xc3",')
        comment = b": ping" + end + end if behaviour.comments else b""
        yield comment + b"data: " + data + end + end
    if behaviour.done and behaviour.events is None:
        yield b"data: [DONE]" + end + end


def typed_events(objects: Iterable[Json], behaviour: Behaviour) -> Iterator[bytes]:
    """Named events without ``[DONE]``, as responses are streamed."""
    end = behaviour.newline.encode()
    for item in objects:
        yield b"event: " + item["type"].encode() + end + b"data: " + dump(item, behaviour) + end + end
