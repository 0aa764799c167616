"""The questions that discovery asks of the store: distinct prompts first, and only a few bodies.

A million exchanges have a few thousand prompts: one request is read for each, and a few answers for each group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from nightschool.store.filter import Filter

ANSWERS_PER_GROUP = 500
FEWEST_ANSWERS = 30
REQUESTS_PER_GROUP = 5
MOST_ANSWERS = 30_000
_CHUNK = 5_000

_FIGURES = """
    count(*) as exchanges, sum(cost_usd) as spend, count(cost_usd) as priced,
    sum(prompt_tokens) as prompt_tokens, sum(completion_tokens) as completion_tokens,
    min(time) as first_seen, max(time) as last_seen, list(distinct model_requested) as models
"""
_SUMMED = """
    sum(exchanges)::bigint as exchanges, sum(spend) as spend, sum(priced)::bigint as priced,
    sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
    min(first_seen) as first_seen, max(last_seen) as last_seen, list_distinct(flatten(list(models))) as models,
    count(*) as prompts
"""


class Seen(NamedTuple):
    """A prompt, and the newest request that has it."""

    fingerprint: str
    endpoint: str
    request: str | None


class Newest(NamedTuple):
    """One of the newest good exchanges."""

    key: str | int
    """Name of the workload, or number of the group."""
    id: str
    asked: Seen
    """Its request is told of the very newest only."""
    response: str | None


class Figures(NamedTuple):
    """What the exchanges of a group add up to."""

    name: Any
    exchanges: int
    spend: float | None
    priced: int
    prompt_tokens: int | None
    completion_tokens: int | None
    first_seen: datetime
    last_seen: datetime
    models: list[str]
    prompts: int


class Traffic:
    """Exchanges of a span of time, in a connection of their own."""

    def __init__(self, store: duckdb.DuckDBPyConnection, filters: Filter) -> None:
        self._store = store
        condition, values = filters.condition()
        self._condition = condition
        self._values = values
        store.execute(
            f"create table prompts as select fingerprint, endpoint, {_FIGURES}, "
            "max(id) as newest_id "
            f"from exchanges where workload is null and fingerprint is not null and {condition} group by all",
            values,
        )
        store.execute("create table placed (fingerprint varchar, endpoint varchar, number integer)")

    def prompts(self) -> Iterator[list[Seen]]:
        """Every prompt that no rule names, in chunks."""
        answer = self._store.cursor().execute(
            "select p.fingerprint, p.endpoint, e.request from exchanges e join prompts p on e.id = p.newest_id"
        )
        while chunk := answer.fetchmany(_CHUNK):
            yield [Seen(*row) for row in chunk]

    def place(self, prompts: Sequence[Seen], numbers: Sequence[int]) -> None:
        """Say which template the prompts have."""
        columns = [[prompt.fingerprint for prompt in prompts], [prompt.endpoint for prompt in prompts], list(numbers)]
        self._store.register(
            "arriving", pa.table(dict(zip(("fingerprint", "endpoint", "number"), columns, strict=True)))
        )
        self._store.execute("insert into placed select * from arriving")
        self._store.unregister("arriving")

    def groups(self) -> list[Figures]:
        """One line per template, by its number."""
        query = f"select number, {_SUMMED} from placed join prompts using (fingerprint, endpoint) group by number"
        return self._figures(query, [])

    def named(self) -> list[Figures]:
        """One line per workload that has a name."""
        query = (
            f"select workload, {_FIGURES}, count(distinct fingerprint) as prompts from exchanges "
            f"where workload is not null and {self._condition} group by workload"
        )
        return self._figures(query, self._values)

    def variants(self, *, most: int, fewest_exchanges: int) -> list[tuple[int, Figures]]:
        """Groups of a few prompts that all recur: (number, figures of a prompt, named by its fingerprint)."""
        query = f"""
            with lines as (
                select number, fingerprint, {_SUMMED}
                from placed join prompts using (fingerprint, endpoint) group by number, fingerprint
            ), few as (
                select number from lines group by number
                having count(*) between 2 and {most} and min(exchanges) >= {fewest_exchanges}
            )
            select * from lines where number in (select number from few)
        """
        return [(row[0], Figures(*row[1:])) for row in self._store.execute(query).fetchall()]

    def without_prompt(self) -> int:
        """Exchanges that ask nothing: lists of models, files, recordings."""
        query = f"select count(*) from exchanges where workload is null and fingerprint is null and {self._condition}"
        (count,) = self._store.execute(query, self._values).fetchall()[0]
        return int(count)

    def answers(self, groups: int) -> Iterator[Newest]:
        """The newest good exchanges of every group and every named workload."""
        most = max(min(ANSWERS_PER_GROUP, MOST_ANSWERS // max(groups, 1)), FEWEST_ANSWERS)
        query = f"""
            with good as (
                select id, workload, number from exchanges left join placed using (fingerprint, endpoint)
                where complete and status = 200 and (workload is not null or number is not null) and {self._condition}
            ), newest as (
                select *, row_number() over (
                    partition by workload, case when workload is null then number end order by id desc
                ) as place from good qualify place <= {most}
            )
            select n.workload, n.number, e.id, e.fingerprint, e.endpoint,
                case when place <= {REQUESTS_PER_GROUP} then e.request end, e.response
            from exchanges e join newest n on e.id = n.id order by e.id desc
        """
        answer = self._store.execute(query, self._values)
        while chunk := answer.fetchmany(_CHUNK):
            for name, number, identity, fingerprint, endpoint, request, response in chunk:
                yield Newest(number if name is None else name, identity, Seen(fingerprint, endpoint, request), response)

    def _figures(self, query: str, values: Sequence[Any]) -> list[Figures]:
        return [Figures(*row) for row in self._store.execute(query, values).fetchall()]
