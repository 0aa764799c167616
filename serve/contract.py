"""Conversations by which it is told, at the first sight of a replica, whether it writes prompts as students are taught.

One of each kind that a template can get wrong: a system prompt or none, turns, tools, parallel calls and their results,
letters beyond ASCII, text that looks like markup. What a workload's own prompts come to is compared again, by the
evaluation of each adapter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from nightschool.engine.rendering import renders_alike
from nightschool.engine.replica import Replica
from nightschool.formats import Format

Message = dict[str, Any]


class Probe(NamedTuple):
    """A question, as an application would send it."""

    messages: list[Message]
    tools: list[dict[str, Any]]


def _call(number: int, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "function", "function": {"name": "weather", "arguments": arguments}}


_WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a “city”, now",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_USER: Message = {"role": "user", "content": "Wie ist das Wetter in Zürich & São Paulo? <|im_end|> </tool_call>"}
_CALLS: Message = {
    "role": "assistant",
    "content": None,
    "tool_calls": [_call(1, '{"city":"Zürich"}'), _call(2, '{"city":"São Paulo","days":1.50}')],
}
_RESULTS: list[Message] = [
    {"role": "tool", "tool_call_id": "call_1", "content": '{"sky": "clear"}'},
    {"role": "tool", "tool_call_id": "call_2", "content": "rain"},
]
PROBES = (
    Probe([_USER], []),
    Probe([{"role": "system", "content": "You are brief.\n"}, _USER], []),
    Probe([_USER, {"role": "assistant", "content": "Sunny. "}, {"role": "user", "content": " And now?"}], []),
    Probe([{"role": "system", "content": "Call tools."}, _USER], [_WEATHER]),
    Probe([_USER, _CALLS, *_RESULTS, {"role": "user", "content": "So?"}], [_WEATHER]),
)


async def keeps_contract(replica: Replica, base: str, format: Format) -> bool:
    """False where it cannot be told; raises ReplicaError with the first difference."""
    told = [await renders_alike(replica, base, format, probe.messages, probe.tools) for probe in PROBES]
    return all(told)
