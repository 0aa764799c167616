"""What was tested with is never trained on, whatever arrives later, and in whatever order."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.dataset.facts import Fact, table_of
from distill.dataset.identity import keys_of
from distill.dataset.leakage import Leak, check_leakage
from distill.dataset.sides import assign, new_assignments
from distill.dataset.snapshot import folder_of
from nightschool.store.erase import erase
from nightschool.store.schema import SPLITS
from tests.distill.dataset.traffic import Message, asked, built, examples, file, identity, says, user

START = datetime(2026, 3, 10, tzinfo=UTC)
LENIENT_TO_STRICT = ["train", "validation", "test"]


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Fact]]:
    """Exchanges in batches: few inputs and conversations, so that groups meet; prompts that go on from answers."""
    count = draw(st.integers(2, 40))
    facts = []
    for row in range(count):
        goes_on_from = draw(st.lists(st.integers(0, row), max_size=2))
        facts.append(
            Fact(
                row=row,
                id=f"{row:04}",
                time=START + timedelta(minutes=draw(st.integers(0, 50))),
                conversation=draw(st.none() | st.integers(1, 6).map(_spread)),
                input=_spread(1000 + draw(st.integers(0, 25))),
                answered=_spread(2000 + row),
                prefixes=[_spread(2000 + earlier) for earlier in goes_on_from],
            )
        )
    facts = draw(st.permutations(facts))
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=4)))
    return [facts[begin:end] for begin, end in zip([0, *cuts], [*cuts, count], strict=True)]


def _spread(number: int) -> int:
    """As far apart as hashes are."""
    return (number * 0x9E37_79B9_7F4A_7C15) % 2**64 - 2**63


@contextmanager
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.register("nothing", SPLITS.empty_table())
        connection.execute("create table splits as select * from nothing; attach ':memory:' as scratch")
        yield connection


def sides_of(connection: duckdb.DuckDBPyConnection, facts: Sequence[Fact]) -> dict[int, str]:
    """Assign, remember, and return the side of every input."""
    connection.register("facts_now", table_of(facts))
    connection.execute("create or replace table scratch.facts as select * from facts_now")
    connection.execute("drop table if exists scratch.members; drop table if exists scratch.sides")
    assign(connection, test_share=0.4)
    connection.register("more", new_assignments(connection))
    connection.execute("insert into splits select * from more")
    query = "select input, side from scratch.facts join scratch.members on key = input join scratch.sides using (team)"
    return dict(connection.execute(query).fetchall())


@settings(max_examples=60, deadline=None)
@given(arrivals())
def test_no_input_leaves_the_test_side_as_exchanges_arrive(batches: list[list[Fact]]) -> None:
    with store() as connection:
        arrived: list[Fact] = []
        before: dict[int, str] = {}
        for batch in filter(None, batches):
            arrived += batch
            now = sides_of(connection, arrived)
            assert all(_strictness(now[key]) >= _strictness(side) for key, side in before.items())
            before = now


@settings(max_examples=60, deadline=None)
@given(arrivals())
def test_no_input_leaves_the_test_side_though_all_that_came_before_is_deleted(batches: list[list[Fact]]) -> None:
    with store() as connection:
        before: dict[int, str] = {}
        for batch in filter(None, batches):
            now = sides_of(connection, batch)
            assert all(_strictness(now[key]) >= _strictness(side) for key, side in before.items() if key in now)
            before |= now


@settings(max_examples=60, deadline=None)
@given(arrivals())
def test_linked_exchanges_are_on_one_side_and_order_does_not_matter(batches: list[list[Fact]]) -> None:
    facts = [fact for batch in batches for fact in batch]
    with store() as connection, store() as other:
        sides = sides_of(connection, facts)

        assert sides_of(other, facts[::-1]) == sides
    by_answer = {fact.answered: fact for fact in facts}
    for fact in facts:
        for prefix in fact.prefixes or ():
            assert sides[_input(fact)] == sides[_input(by_answer[prefix])]
    named: dict[int, set[str]] = {}
    for fact in facts:
        if fact.conversation is not None:
            named.setdefault(fact.conversation, set()).add(sides[_input(fact)])
    assert all(len(found) == 1 for found in named.values())


def _input(fact: Fact) -> int:
    assert fact.input is not None
    return fact.input


def _strictness(side: str) -> int:
    return LENIENT_TO_STRICT.index(side)


def test_about_a_tenth_is_test_and_a_twentieth_validation() -> None:
    facts = [Fact(row=n, id=f"{n}", time=START, input=_spread(n * n), answered=_spread(-n - 1)) for n in range(4000)]
    with store() as connection:
        connection.register("facts_now", table_of(facts))
        connection.execute("create table scratch.facts as select * from facts_now")
        assign(connection, test_share=0.1)
        query = "select side, count(*) from scratch.sides group by side"
        counts = dict(connection.execute(query).fetchall())

    assert 300 < counts["test"] < 500
    assert 130 < counts["validation"] < 270


def test_a_conversation_that_goes_on_stays_where_it_was_when_its_beginning_is_erased(tmp_path: Path) -> None:
    openings = [asked(n, user(f"opening {n}"), answer=says(f"reply {n}")) for n in range(60)]
    file(tmp_path, openings)
    before = _side_by_question(examples(tmp_path, built(tmp_path)))
    erase(tmp_path, [record.id for record in openings])
    file(tmp_path, [asked(100 + n, user(f"opening {n}"), says(f"reply {n}"), user("and?")) for n in range(60)])

    after = _side_by_question(examples(tmp_path, built(tmp_path)))

    assert after == before
    assert set(before.values()) == {"train", "validation", "test"}


def test_few_shot_examples_do_not_make_one_conversation_of_all_calls(tmp_path: Path) -> None:
    shots = [user("sort this: a"), says("A"), user("sort this: b"), says("B")]
    file(tmp_path, [asked(n, *shots, user(f"sort this: {n}")) for n in range(80)])

    manifest = built(tmp_path)

    assert sum(side.groups for side in manifest.sides.values()) == 80


def test_a_conversation_that_the_application_named_is_on_one_side(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, user(f"question {n}"), conversation=f"c{n % 20}") for n in range(100)])

    sides = examples(tmp_path, built(tmp_path))

    found = {side: {int(row["id"][-4:], 16) % 20 for row in rows} for side, rows in sides.items()}
    assert sum(map(len, found.values())) == 20


def test_an_input_on_both_sides_fails_the_check(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, user(f"question {n}")) for n in range(60)])
    place = folder_of(tmp_path, built(tmp_path))
    check_leakage(place)

    (place / "train.parquet").write_bytes((place / "test.parquet").read_bytes())

    with pytest.raises(Leak, match="on the training side, too"):
        check_leakage(place)


def _side_by_question(sides: dict[str, list[dict[str, object]]]) -> dict[str, str]:
    return {str(row["messages"]).split('"')[7]: side for side, rows in sides.items() for row in rows}


def test_ids_are_in_order() -> None:
    assert identity(1) < identity(2)


def test_night_after_night_nothing_that_was_tested_is_trained_on(tmp_path: Path) -> None:
    """Conversations that go on, inputs that come again, and conversations that turn out to be one."""
    chance = random.Random(3)
    tested: set[int] = set()
    number = 0
    open_ones: list[list[Message]] = []
    for _ in range(4):
        records = []
        for _ in range(80):
            going_on = open_ones[chance.randrange(len(open_ones))] if open_ones and chance.random() < 0.4 else []
            prompt = [*going_on, user(f"question {chance.randrange(150)}")]
            answer = says(f"answer {chance.randrange(3)}")
            conversation = f"c{chance.randrange(200)}" if chance.random() < 0.5 else None
            records.append(asked(number, *prompt, answer=answer, conversation=conversation))
            open_ones.append([*prompt, answer])
            number += 1
        file(tmp_path, records)

        sides = examples(tmp_path, built(tmp_path))

        tested |= _inputs(sides["test"])
        assert not tested & _inputs(sides["train"])
    assert len(tested) > 10


def _inputs(rows: list[dict[str, Any]]) -> set[int]:
    prompts = ((json.loads(row["messages"])[:position]) for row in rows for position in row["learn"])
    return {keys_of(prompt, None).input for prompt in prompts}
