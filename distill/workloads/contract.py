"""What a recorded request says of its task, read as the rules read it: system prompt, tools, schema.

Prompts are only ever grouped with prompts of the same contract: the same path, tool names and schema name.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import NamedTuple

import msgspec

from nightschool.wire.request import RequestBody, Turn, read_request, value
from nightschool.wire.task import instructs, schema_name, tool_names, turn_text


class Contract(msgspec.Struct, frozen=True):
    """What all requests of a group have in common, beside their prompt's template."""

    endpoint: str
    tools: tuple[str, ...] = ()
    """Names, sorted."""
    schema: str | None = None
    fingerprint: str | None = None
    """Where no text was recorded: the only thing that is known of the prompt."""

    @property
    def order(self) -> tuple[str, tuple[str, ...], str, str]:
        return self.endpoint, self.tools, self.schema or "", self.fingerprint or ""


class Prompt(NamedTuple):
    """What one request says of its task."""

    contract: Contract
    opening: str
    """Text of the system and developer messages that come before all others."""
    system: str
    """Text of all of them, which is what a rule's ``system_prompt`` searches."""


def read_prompt(endpoint: str, fingerprint: str, request: str | None) -> Prompt:
    """The prompt of a request as recorded; one whose text was not recorded stands for itself."""
    body = None if request is None else read_request(request.encode("utf-8", "replace"))
    if body is None or not _says_something(body):
        return Prompt(Contract(endpoint, fingerprint=fingerprint), "", "")
    tools = tuple(sorted(set(tool_names(body))))
    return Prompt(
        Contract(endpoint, tools, schema_name(body)),
        _texts(takewhile(instructs, body.turns)),
        _texts(filter(instructs, body.turns)),
    )


def _says_something(body: RequestBody) -> bool:
    fields = (body.messages, body.instructions, body.input, body.tools, body.functions)
    return any(value(field) is not None for field in fields)


def _texts(said: Iterable[Turn]) -> str:
    return "\n".join(turn_text(turn) for turn in said)
