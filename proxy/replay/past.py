"""Recorded exchanges -> requests as the routing sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from proxy.control import Control
from proxy.facts import RequestFacts
from proxy.students.named_model import named_in

NOT_ASKED = ("audit", "import")
"""Reasons of exchanges that no application has sent through the proxy."""
_AT_ONCE = 2_000
_COLUMNS = (
    "endpoint", "request", "fingerprint", "conversation", "tags", "workload", "target", "reason", "model_requested",
    "model_served", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_usd",
)  # fmt: skip


class Past(NamedTuple):
    """One exchange, in the order of the columns that are read."""

    endpoint: str
    request: str | None
    fingerprint: str | None
    conversation: str | None
    tags: dict[str, str]
    workload: str | None
    target: str
    reason: str
    model_requested: str | None
    model_served: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    cost_usd: float | None

    @property
    def obstacle(self) -> str | None:
        """Why nobody can say how it would be routed."""
        if self.request is None:
            return "its request was not recorded"
        if named_in(self.model_requested) is not None:
            return "it asked for a student by name"
        return None

    def facts(self) -> RequestFacts:
        """Of a request with a body; headers are not in the record, but for what they said to nightschool."""
        body = (self.request or "").encode()
        facts = RequestFacts(self.endpoint, {}, body, header_tags=self.tags, deployment=None)
        if facts.model is not None or self.model_requested is None:
            return facts
        return RequestFacts(self.endpoint, {}, body, header_tags=self.tags, deployment=self.model_requested)

    def control(self) -> Control:
        """What the caller had asked for, as far as the reason tells."""
        return Control(
            workload=self.workload if self.reason == "header" else None,
            conversation=self.conversation,
            target=self.target if self.reason == "asked" else None,
        )


def read_past(store: duckdb.DuckDBPyConnection, condition: str, values: list[Any]) -> Iterator[Past]:
    """A few thousand at a time are in memory."""
    left_out = ", ".join(f"'{reason}'" for reason in NOT_ASKED)
    cursor = store.execute(
        f"select {', '.join(_COLUMNS)} from exchanges where {condition} and reason not in ({left_out})", values
    )
    while rows := cursor.fetchmany(_AT_ONCE):
        for row in rows:
            yield Past(*row)._replace(tags=dict(row[_COLUMNS.index("tags")] or {}))
