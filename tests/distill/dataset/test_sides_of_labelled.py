"""Labels move no tested input to the training side, and no build fails: whatever arrives, in whatever order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.dataset.chat import Exchange
from distill.dataset.facts import facts_of, table_of
from distill.dataset.identity import keys_of
from distill.dataset.plan import choose, find_turns
from distill.dataset.settings import Settings
from distill.dataset.sides import assign, new_assignments
from distill.dataset.tools import ToolBook
from nightschool.record import Label, Record
from nightschool.store.append import append
from nightschool.store.schema import SPLITS
from nightschool.store.schema import table_of as labels_table
from tests.distill.dataset.traffic import Message, asked, built, examples, file, identity, says, user

HALF = Settings(min_examples=1, test_share=0.5)
START = datetime(1970, 1, 1, tzinfo=UTC)
SIDES = ("train", "validation", "test")
AS_JSON = {"response_format": {"type": "json_object"}}

Arrival = Record | Label


def label(number: int, message: Message, time_us: int = 1) -> Label:
    return Label(exchange_id=identity(number), time_us=time_us, message=json.dumps(message), author="ann")


def draft(number: int) -> Message:
    return user(f"draft mail {number}")


def test_a_tested_turn_is_not_learned_when_the_conversation_goes_on_from_its_label(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, draft(n), answer=says(f"draft {n}")) for n in range(60)])
    tested = {row["id"] for row in examples(tmp_path, built(tmp_path, HALF))["test"]}
    append(tmp_path, "labels", labels_table("labels", [label(n, says(f"corrected {n}")) for n in range(60)]))
    file(tmp_path, [asked(100 + n, draft(n), says(f"corrected {n}"), user("now shorter")) for n in range(60)])

    sides = examples(tmp_path, built(tmp_path, HALF))

    assert tested
    assert not tested & _exchanges(sides["train"])
    on_test = _exchanges(sides["test"])
    assert all((identity(n) in on_test) == (identity(100 + n) in on_test) for n in range(60))


def test_a_corrected_turn_that_was_also_asked_for_json_does_not_stand_on_two_sides(tmp_path: Path) -> None:
    drafts = [asked(n, draft(n), answer=says(f"draft {n}")) for n in range(60)]
    as_json = [asked(200 + n, draft(n), answer=says(f'{{"draft":{n}}}'), body=AS_JSON) for n in range(60)]
    going_on = [asked(100 + n, draft(n), says(f"corrected {n}"), user("now shorter")) for n in range(60)]
    file(tmp_path, [*drafts, *as_json, *going_on])
    append(tmp_path, "labels", labels_table("labels", [label(n, says(f"corrected {n}")) for n in range(60)]))

    sides = examples(tmp_path, built(tmp_path, HALF))

    assert not _exchanges(sides["train"]) & _exchanges([*sides["test"], *sides["validation"]])


class Plan(NamedTuple):
    """What stands on the sides: exchanges, their inputs, and the groups."""

    exchanges: dict[str, set[str]]
    inputs: dict[str, set[int]]
    groups: dict[str, set[int]]


@st.composite
def nights(draw: st.DrawFn) -> list[list[Arrival]]:
    """What arrives from night to night; words are few: inputs come again, and labels meet what goes on from them."""
    word = st.sampled_from(["a", "b", "c"]).map(says)
    prompts: list[list[Message]] = []
    arrivals: list[Arrival] = []
    for number in range(draw(st.integers(2, 14))):
        before = draw(st.none() | st.sampled_from(prompts)) if prompts else None
        going_on = [] if before is None else [*before, draw(word)]
        prompts.append([*going_on, user(f"question {draw(st.integers(0, 6))}")])
        arrivals.append(
            asked(
                number,
                *prompts[-1],
                answer=draw(word),
                body=draw(st.sampled_from([{}, {"response_format": {"type": "text"}}])),
                conversation=draw(st.none() | st.integers(1, 4).map(lambda name: f"c{name}")),
                time_us=draw(st.integers(0, 50)),
            )
        )
        arrivals += [label(number, draw(word), time_us) for time_us in range(draw(st.integers(0, 2)))]
    arrivals = draw(st.permutations(arrivals))
    cuts = sorted(draw(st.lists(st.integers(0, len(arrivals)), max_size=3)))
    return [arrivals[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(arrivals)], strict=True)]


@settings(max_examples=30, deadline=None)
@given(nights())
def test_whatever_arrives_nothing_that_was_tested_is_learned(batches: list[list[Arrival]]) -> None:
    with store() as connection:
        arrived: list[Arrival] = []
        tested: set[str | int] = set()
        for batch in batches:
            arrived += batch
            if not any(isinstance(each, Record) for each in arrived):
                continue
            plan = planned(connection, arrived)
            tested |= plan.exchanges["test"] | plan.inputs["test"]
            for held_out in ("test", "validation"):
                assert not plan.inputs["train"] & plan.inputs[held_out]
                assert not plan.groups["train"] & plan.groups[held_out]
            assert not tested & (plan.exchanges["train"] | plan.inputs["train"])
            assert not parted(connection)


@contextmanager
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.register("nothing", SPLITS.empty_table())
        connection.execute("create table splits as select * from nothing; attach ':memory:' as scratch")
        yield connection


def planned(store: duckdb.DuckDBPyConnection, arrived: Sequence[Arrival]) -> Plan:
    """Plan a dataset as a build does, and remember the assignments."""
    store.execute("detach scratch; attach ':memory:' as scratch")
    store.register("facts_now", table_of(facts_of(_exchanges_of(arrived), ToolBook(()), first_row=0)))
    store.execute("create table scratch.facts as select * from facts_now")
    find_turns(store)
    assign(store, test_share=HALF.test_share)
    store.register("more", new_assignments(store))
    store.execute("insert into splits select * from more")
    choose(store, HALF)
    rows = store.execute("""
        with kept as (select * from scratch.chosen where reason is null),
        learned as (
            select row, side, root from kept union all
            select held.row, side, root from scratch.held join kept on kept.row = holder
        )
        select side, id, input, root from learned join scratch.facts using (row)""").fetchall()
    plan = Plan({side: set() for side in SIDES}, {side: set() for side in SIDES}, {side: set() for side in SIDES})
    for side, exchange, key, root in rows:
        plan.exchanges[side].add(exchange)
        plan.inputs[side].add(key)
        plan.groups[side].add(root)
    return plan


def parted(store: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Exchanges of which one goes on from the answer or the label of the other, and which are in two groups."""
    return store.execute("""
        with grouped as (select facts.*, team from scratch.facts join scratch.members on key = input)
        select earlier.id, later.id from (select *, unnest(prefixes) as prefix from grouped) as later
        join grouped as earlier on prefix in (earlier.answered, earlier.learned)
        where earlier.team != later.team""").fetchall()


def _exchanges_of(arrived: Iterable[Arrival]) -> Iterator[Exchange]:
    newest = {}
    for one in sorted((each for each in arrived if isinstance(each, Label)), key=lambda each: each.time_us):
        newest[one.exchange_id] = one.message
    for record in arrived:
        if isinstance(record, Record):
            told = {name: getattr(record, name) for name in Exchange._fields[:-1] if name != "time"}
            time = START + timedelta(microseconds=record.time_us)
            yield Exchange(time=time, label=newest.get(record.id), **told)


def test_night_after_night_of_corrections_nothing_that_was_tested_is_trained_on(tmp_path: Path) -> None:
    """Applications that go on from a draft, or from its correction, which comes as a label sooner or later."""
    chance = random.Random(5)
    tested: set[int] = set()
    number = 0
    open_ones: list[tuple[int, list[Message]]] = []
    for _ in range(4):
        records, labels = [], []
        for _ in range(60):
            going_on = []
            if open_ones and chance.random() < 0.5:
                before, prompt = open_ones[chance.randrange(len(open_ones))]
                correction = says(f"corrected {chance.randrange(2)}")
                going_on = [*prompt, correction]
                if chance.random() < 0.7:
                    labels.append(label(before, correction, time_us=number))
            prompt = [*going_on, user(f"question {chance.randrange(120)}")]
            body = {"response_format": {"type": "text"}} if chance.random() < 0.2 else {}
            records.append(asked(number, *prompt, answer=says(f"answer {chance.randrange(3)}"), body=body))
            open_ones.append((number, prompt))
            number += 1
        file(tmp_path, records)
        append(tmp_path, "labels", labels_table("labels", labels))

        sides = examples(tmp_path, built(tmp_path, Settings(min_examples=1, test_share=0.3)))

        tested |= _inputs(sides["test"])
        assert not tested & _inputs(sides["train"])
    assert len(tested) > 10


def _exchanges(rows: Iterable[dict[str, Any]]) -> set[str]:
    return {name for row in rows for name in row["exchange_ids"]}


def _inputs(rows: Iterable[dict[str, Any]]) -> set[int]:
    prompts = ((json.loads(row["messages"])[:position]) for row in rows for position in row["learn"])
    return {keys_of(prompt, None).input for prompt in prompts}
