"""What routing needs to know of a request, read from a copy of its body only as deep as somebody asks.

The body itself is never changed or validated: whatever cannot be read here counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nightschool.wire import fingerprint as names
from nightschool.wire.request import ABSENT, RequestBody, read_request
from nightschool.wire.task import instructs, schema_name, tool_names, turn_text


class RequestFacts:
    """One request as the rules see it; ``body`` is empty when it is not JSON or too large to be held."""

    __slots__ = (
        "_fields",
        "_header_tags",
        "_system_prompt",
        "_tools",
        "body",
        "deployment",
        "endpoint",
        "headers",
        "model",
    )

    def __init__(
        self,
        endpoint: str,
        headers: Mapping[bytes, bytes],
        body: bytes,
        *,
        header_tags: Mapping[str, str],
        deployment: str | None,
    ) -> None:
        self.endpoint = endpoint
        self.headers = headers
        """By lower-case name; of a repeated header the last value."""
        self.deployment = deployment
        """Of an Azure path; it stands for the model."""
        self.body = body
        self._header_tags = header_tags
        self._fields = (read_request(body) if body else None) or RequestBody()
        self.model: str | None = deployment or self._fields.model_name
        # What costs something to read is read once, by the first rule that asks.
        self._tools: tuple[str, ...] | None = None
        self._system_prompt: str | None = None

    @property
    def streams(self) -> bool:
        return self._fields.stream is True

    @property
    def stream_options(self) -> dict[str, Any] | None:
        """As the client gave them; None when absent, null or not an object."""
        options = self._fields.stream_options
        return options if isinstance(options, dict) else None

    @property
    def speaks_of_logprobs(self) -> bool:
        """The client says whether it wants log probabilities, be it that it wants none."""
        return self._fields.logprobs is not ABSENT or self._fields.top_logprobs is not ABSENT

    @property
    def messages(self) -> msgspec.Raw:
        """JSON of them, of a chat; the JSON null where there are none."""
        return self._fields.messages

    @property
    def conversation(self) -> str | None:
        """Names the conversation by how it begins; None where there are no messages."""
        return names.conversation(self._fields)

    @property
    def fingerprint(self) -> str | None:
        """Names the prompt's template."""
        return names.fingerprint(self._fields)

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the tools on offer, functions of the old form among them."""
        if self._tools is None:
            self._tools = tool_names(self._fields)
        return self._tools

    @property
    def system_prompt(self) -> str:
        """Text of every system and developer message, a line between two."""
        if self._system_prompt is None:
            self._system_prompt = "\n".join(map(turn_text, filter(instructs, self._fields.turns)))
        return self._system_prompt

    @property
    def schema(self) -> str | None:
        """Name of the JSON schema that the answer has to follow."""
        return schema_name(self._fields)

    @property
    def tags(self) -> Mapping[str, str]:
        """Of the header ``x-nightschool-tags`` and, behind it, of the body's ``metadata``."""
        if self._fields.metadata is None:
            return self._header_tags
        return {**self._fields.tags, **self._header_tags}
