"""Facts -> which exchanges become examples, on which side, and why the others do not.

    duplicates -> episodes -> sides -> caps -> books

All of it in SQL over narrow columns, so that it spills to the disk when it must. Every order ends with the id: the same
store gives the same plan.
"""

from __future__ import annotations

import duckdb

from distill.dataset.gather import SCRATCH
from distill.dataset.settings import HALF_LIFE_DAYS, LEAST_FRESHNESS, TEST_ROWS, VALIDATION_ROWS, Settings

_TURNS = f"""
    create table {SCRATCH}.ranked as
    select *, count(*) over (partition by same) as multiplicity,
           row_number() over newest_first as place, first_value(id) over newest_first as stand_in
    from (select * exclude (reason, detail, prefixes) from {SCRATCH}.facts where reason is null)
    window newest_first as (partition by same order by labelled desc, time desc, id desc);
    create view {SCRATCH}.turns as select * from {SCRATCH}.ranked where place = 1"""
"""One exchange for each input: the newest, or one with a label."""

_EPISODES = f"""
    create table {SCRATCH}.held as
    with prefixes as (
        select row, frame, length, time, id, unnest(prefixes) as key
        from (select row, prefixes from {SCRATCH}.facts) join {SCRATCH}.turns using (row)
    )
    select turns.row, arg_max(prefixes.row, (prefixes.length, prefixes.time, prefixes.id)) as holder
    from {SCRATCH}.turns join prefixes on key = learned and prefixes.frame = turns.frame
    where prefixes.row != turns.row and not turns.labelled group by turns.row"""
"""A turn whose prompt and answer a longer prompt begins with is learned in the longest of those.

One with a label is not: only the last answer of an example can have one, by which it is tested.
"""

_UNITS = f"""
    create table {SCRATCH}.units as
    with holding as (select holder, count(*) as turns from {SCRATCH}.held group by holder),
         span as (select max(time) as newest from {SCRATCH}.facts)
    select turns.row, turns.id, turns.time, input, multiplicity, root, side, 1 + coalesce(holding.turns, 0) as turns,
           turns.time >= newest - to_days(?) as newest,
           -ln((abs(hash_input) + 1) / 9007199254740993.0) / greatest(
               {LEAST_FRESHNESS}, pow(2, -date_diff('second', turns.time, newest) / 86400.0 / {HALF_LIFE_DAYS})
           ) as lot
    from (select *, input >> 10 as hash_input from {SCRATCH}.turns) as turns
    cross join span
    join {SCRATCH}.members on key = input join {SCRATCH}.sides using (team)
    left join holding on holding.holder = turns.row
    where turns.row not in (select row from {SCRATCH}.held)"""
"""An example for each turn that no other holds."""

_CHOSEN = f"""
    create table {SCRATCH}.chosen as
    select *, case
        when side = 'test' and number > {TEST_ROWS} then 'test_full'
        when side = 'validation' and number > {VALIDATION_ROWS} then 'validation_full'
        when side = 'train' and learned > ? then 'over_max'
    end as reason
    from (select *, row_number() over (partition by side order by input, id) as number,
                 sum(turns) over (partition by side order by lot, id rows unbounded preceding) as learned
          from {SCRATCH}.units)"""

_EXCLUDED = f"""
    create table {SCRATCH}.excluded as
    select id, time, reason, detail from {SCRATCH}.facts where reason is not null
    union all
    select id, time, 'duplicate', stand_in from {SCRATCH}.ranked where place > 1
    union all
    select id, time, reason, null from {SCRATCH}.chosen where reason is not null
    union all
    select turns.id, turns.time, chosen.reason, null from {SCRATCH}.held
    join {SCRATCH}.chosen on chosen.row = holder join {SCRATCH}.turns on turns.row = held.row
    where chosen.reason is not null"""


def find_turns(store: duckdb.DuckDBPyConnection) -> None:
    """Facts -> ``scratch.turns``, and ``scratch.held``: those that are learned as part of a longer one."""
    store.execute(_TURNS)
    store.execute(_EPISODES)


def choose(store: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Turns and sides -> ``scratch.chosen`` and ``scratch.excluded``."""
    store.execute(_UNITS, [settings.newest_days])
    store.execute(_CHOSEN, [settings.max_examples])
    store.execute(_EXCLUDED)
