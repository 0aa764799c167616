"""A request as the client sent it -> the request for a replica, and what its answer must keep to.

Messages and tools are sent in the very form in which evaluation sends them, so a student reads what it was trained on
and measured with. What is passed beside them is a list of names: what is not on it never reaches a replica.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nightschool.errors import Unrenderable
from nightschool.formats import canonical_tools, served_messages
from nightschool.wire import json_text
from proxy.student_check import Demands, demands_of

PASSED = (
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "response_format",
    "stop",
    "top_logprobs",
)
"""Fields that mean the same to vLLM."""
SAMPLING = ("frequency_penalty", "presence_penalty", "seed", "temperature", "top_p")
"""How tokens are chosen: these pass only where a student is not to answer as it was evaluated."""
LENGTHS = ("max_completion_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class StudentQuestion:
    """One request, ready to be put to any replica of the adapter."""

    fields: dict[str, Any]
    demands: Demands
    streams: bool
    """The client wants events."""
    wants_usage: bool
    """The client wants the tokens counted at the end of a stream."""

    @property
    def is_bounded(self) -> bool:
        """The client says how long the answer may become."""
        return any(name in self.fields for name in LENGTHS)

    def body(self, adapter: str, stop_token_ids: tuple[int, ...], *, bounded: bool = True) -> bytes:
        """For a replica, always as a stream: only so it is known when the first token comes.

        ``bounded`` of False leaves out the length that the client allows, where there is less room than that.
        """
        fields = {"model": adapter, **self.fields, "stream": True, "stream_options": {"include_usage": True}}
        if not bounded:
            fields = {name: value for name, value in fields.items() if name not in LENGTHS}
        if stop_token_ids:
            fields["stop_token_ids"] = list(stop_token_ids)
        return json_text.encode(fields)


def student_question(body: bytes, *, greedy: bool) -> StudentQuestion:
    """``greedy``: as in evaluation, whatever the client asks for. Raises Unrenderable where it cannot be asked this."""
    given = _decoded(body)
    messages = given.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise Unrenderable("no_messages", "the messages are no list of objects")
    fields: dict[str, Any] = {"messages": served_messages(messages)}
    passed = PASSED if greedy else (*PASSED, *SAMPLING)
    fields |= {name: given[name] for name in passed if given.get(name) is not None}
    if greedy:
        fields["temperature"] = 0
    tools = canonical_tools(_tools(given))
    demands = demands_of(given)
    if tools:
        fields["tools"] = tools
        # A forced call is written in a form of the engine's own, which students are not taught: it is asked for none,
        # and the answer must have one all the same.
        fields["tool_choice"] = "none" if demands.choice == "none" else "auto"
    else:
        fields.pop("parallel_tool_calls", None)
    options = given.get("stream_options")
    return StudentQuestion(
        fields,
        demands,
        streams=given.get("stream") is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        given = json_text.decode(body)
    except ValueError as error:
        raise Unrenderable("no_messages", f"the request is not JSON: {error}") from None
    return given if isinstance(given, dict) else {}


def _tools(given: dict[str, Any]) -> list[dict[str, Any]] | None:
    tools = given.get("tools") or given.get("functions")
    if tools and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        raise Unrenderable("malformed_tool", "the tools are no list of objects")
    return tools or None
