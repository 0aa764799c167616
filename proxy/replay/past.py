"""Recorded exchanges -> requests as the routing sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from nightschool.wire.usage import Usage
from proxy.control import Control
from proxy.facts import RequestFacts

_SENT_BY_CLIENTS = "reason not in ('audit', 'import')"
"""An audit's questions and imports were never routed."""
_AT_ONCE = 2_000
_TOTAL_TOKENS = (
    # No column: only with it can be told whether reasoning was counted apart.
    "case when reasoning_tokens > 0 then try_cast(json_extract_string(response, '$.usage.total_tokens') as integer) end"
)
_COLUMNS = (
    "epoch_us(time)", "endpoint", "request", "fingerprint", "conversation", "tags", "workload", "target", "reason",
    "model_requested", "model_served", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens",
    _TOTAL_TOKENS, "cost_usd",
)  # fmt: skip


class Past(NamedTuple):
    """One exchange, in the order of the columns that are read."""

    time_us: int
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
    reasoning_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None

    @property
    def text_is_missing(self) -> bool:
        """The proxy could read a prompt that the record does not hold; of an upload it could read no more than we."""
        return self.request is None and (self.fingerprint is not None or self.conversation is not None)

    @property
    def usage(self) -> Usage:
        return Usage(
            self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.reasoning_tokens, self.total_tokens
        )

    def facts(self) -> RequestFacts:
        """Without headers, which are not in the record; the model is that of the body, or of an Azure path."""
        return RequestFacts(
            self.endpoint,
            {},
            (self.request or "").encode(),
            header_tags=self.tags,
            deployment=self.model_requested,
        )

    def control(self) -> Control:
        """What the caller had asked for, as far as the reason tells."""
        return Control(
            workload=self.workload if self.reason == "header" else None,
            conversation=self.conversation,
            target=self.target if self.reason == "asked" else "student" if self.reason == "no_student" else None,
        )


def count_past(store: duckdb.DuckDBPyConnection, condition: str, values: list[Any]) -> int:
    """How many ``read_past`` finds."""
    found = store.execute(f"select count(*) from exchanges where ({condition}) and {_SENT_BY_CLIENTS}", values)
    (rows,) = found.fetchone() or (0,)
    return int(rows)


def read_past(store: duckdb.DuckDBPyConnection, condition: str, values: list[Any]) -> Iterator[Past]:
    """A few thousand at a time are in memory, in any order."""
    cursor = store.execute(
        f"select {', '.join(_COLUMNS)} from exchanges where ({condition}) and {_SENT_BY_CLIENTS}", values
    )
    while rows := cursor.fetchmany(_AT_ONCE):
        yield from map(Past._make, rows)
