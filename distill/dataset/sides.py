"""Which side a group is on, for ever.

A group's side is what any of its keys was assigned before, the strictest first (test, validation, train), or else the
hash of its root: the key of its oldest exchange. So a test row never becomes a training row, whatever arrives later;
when groups grow together and one is test, all of it is test.

The keys do not depend on what a workload is called: one that is renamed, or mined again, keeps its sides.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from distill.dataset.gather import SCRATCH, batches
from distill.dataset.groups import groups_of
from distill.dataset.settings import VALIDATION_SHARE
from nightschool.store.append import append
from nightschool.store.schema import SPLITS

SIDES = ("train", "validation", "test")
"""From the most lenient to the strictest."""

_BUCKETS = 10_000
_RANK = "case side when 'test' then 2 when 'validation' then 1 else 0 end"
_LINKS = f"""
    select input as one, coalesce(conversation, input) as other from {SCRATCH}.facts where input is not null
    union all
    select input, answered from {SCRATCH}.facts where answered is not null
    union all
    select input, learned from {SCRATCH}.facts where learned is not null
    union all
    select input, key from (select input, unnest(prefixes) as key from {SCRATCH}.facts)
    where key in (select answered from {SCRATCH}.facts) or key in (select learned from {SCRATCH}.facts)
       or key in (select key from splits)"""
"""A conversation goes on from what was answered, or from its label; a turn is then learned inside of the longer one."""


def assign(store: duckdb.DuckDBPyConnection, *, test_share: float) -> None:
    """Facts and the table ``splits`` -> ``scratch.members`` (key, team) and ``scratch.sides`` (team, root, side)."""
    links = store.execute(_LINKS).fetchnumpy()
    keys, teams = groups_of(links["one"], links["other"])
    store.register("found", pa.table({"key": keys, "team": teams}))
    store.execute(f"create table {SCRATCH}.members as select * from found")
    store.unregister("found")
    test = round(test_share * _BUCKETS)
    validation = test + round(VALIDATION_SHARE * _BUCKETS)
    store.execute(f"""
        create table {SCRATCH}.sides as
        with roots as (
            select team, arg_min(coalesce(conversation, input), (time, id)) as root
            from {SCRATCH}.facts join {SCRATCH}.members on key = input group by team
        ), known as (
            select team, max({_RANK}) as rank from splits join {SCRATCH}.members using (key) group by team
        ), drawn as (
            select *, (root % {_BUCKETS} + {_BUCKETS}) % {_BUCKETS} as bucket from roots
        )
        select team, root, ['train', 'validation', 'test'][1 + coalesce(rank,
            case when bucket < {test} then 2 when bucket < {validation} then 1 else 0 end)] as side
        from drawn left join known using (team)""")


def new_assignments(store: duckdb.DuckDBPyConnection) -> pa.Table:
    """What ``splits`` does not say yet; the time is that of the newest exchange."""
    query = f"""
        select key, (select max(time) from {SCRATCH}.facts) as time, sides.side
        from {SCRATCH}.members join {SCRATCH}.sides using (team)
        left join (select key, max({_RANK}) as rank from splits group by key) as known using (key)
        where rank is null or rank < {_RANK.replace("side", "sides.side")}
        order by key"""
    return pa.concat_tables([SPLITS.empty_table(), *(pa.table(batch).cast(SPLITS) for batch in batches(store, query))])


def remember(folder: Path, assignments: pa.Table) -> None:
    """Keep the assignments for ever. Doing it again after a crash adds nothing: a new build finds them there."""
    if assignments.num_rows:
        append(folder, "splits", assignments)
