"""How the scripted upstream answers what no named behaviour of it fits: by looking at the request."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import jsonschema

from demo.upstream import responses
from demo.upstream.behaviour import Behaviour, named, too_many_requests

Json = dict[str, Any]
RETRY_AFTER_S = "0.3"
_JSON_DELTAS = ('{"answer"', ": ", "42}")
_FAILS_AT_FIRST = re.compile(r"(limited|failing)-([1-9])")
_NOT_AGAIN = Behaviour(status=500, headers=(("x-should-retry", "false"),))
_OBJECTS = {"type": "array", "items": {"type": "object"}}
_FUNCTION = {"type": "object", "required": ["name"]}
_TOOL = {"anyOf": [{"required": ["function"], "properties": {"function": _FUNCTION}}, {"required": ["name"]}]}
_OBJECT = {"type": ["object", "null"]}
_CHAT = {
    "messages": _OBJECTS,
    "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 8},
    "response_format": _OBJECT,
    "top_logprobs": {"type": ["integer", "null"], "minimum": 0, "maximum": 20},
}
_READ = jsonschema.Draft202012Validator(
    {
        "properties": {
            "model": {"type": "string"},
            "input": {"type": ["string", "array"]},
            "tools": {"type": ["array", "null"], "items": {"type": "object", **_TOOL}},
            "stream_options": _OBJECT,
            "text": {**_OBJECT, "properties": {"format": _OBJECT}},
        },
        "anyOf": [{"required": ["input"]}, {"required": ["prompt"]}, {"properties": _CHAT}],
    }
)
"""What the upstream reads of a request; like a real one it refuses what it cannot read."""


class Script:
    """Answers by request; ``limited-N`` and ``failing-N`` refuse the same request N times, and then answer it."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    def __call__(self, body: Json) -> Behaviour | None:
        if not _READ.is_valid(body):
            return Behaviour(status=400)
        model = str(body.get("model"))
        if failure := _FAILS_AT_FIRST.fullmatch(model):
            return self._at_first(failure[1], int(failure[2]), json.dumps(body))
        if model == "failing-for-good":
            return _NOT_AGAIN
        if "input" in body and body.get("tools") and not body.get("stream"):
            return Behaviour(body=json.dumps(_function_call(body), ensure_ascii=False).encode())
        wants = ((body.get("text") or {}).get("format") or {}).get("type")
        return Behaviour(deltas=_JSON_DELTAS) if wants == "json_schema" else None

    def behaviour(self, body: Json) -> Behaviour:
        """Of the upstream, for a request that it gets next."""
        return named(str(body.get("model"))) or self(body) or Behaviour()

    def _at_first(self, kind: str, times: int, request: str) -> Behaviour | None:
        self._asked[request] += 1
        if self._asked[request] <= times:
            return too_many_requests(RETRY_AFTER_S) if kind == "limited" else Behaviour(status=500)
        del self._asked[request]
        return None


def _function_call(request: Json) -> Json:
    """The answer of the Responses API that calls the first tool."""
    behaviour = Behaviour()
    call = {
        "id": "fc_1",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": request["tools"][0]["name"],
        "arguments": "".join(behaviour.arguments),
    }
    return {**responses.response(request, behaviour), "output": [call]}
