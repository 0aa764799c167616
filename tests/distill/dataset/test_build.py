"""Exchanges -> examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.dataset.build import TooFewExamples, build
from distill.dataset.chat import Chat
from distill.dataset.settings import Settings
from distill.dataset.snapshot import UnknownDataset, find, folder_of, place_of
from distill.selection import Selection, UnknownWorkload
from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.schema import table_of
from tests.distill.dataset.traffic import (
    DAY_US,
    FEW,
    NOON_US,
    all_examples,
    asked,
    built,
    calls,
    contents,
    examples,
    excluded,
    file,
    identity,
    rows,
    says,
    tool,
    user,
)

LOOK = {"tools": [tool("look", city="string")]}


def label(number: int, message: dict[str, Any]) -> Label:
    told = {"author": "ann", "source": "review"}
    return Label(exchange_id=identity(number), time_us=NOON_US + DAY_US, message=json.dumps(message), **told)


def asking_many(count: int, **told: Any) -> list[Any]:
    return [asked(number, user(f"question {number} of many"), **told) for number in range(count)]


def test_an_answer_becomes_an_example_with_its_prompt(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(60), asked(100, user("why?"), answer=calls("look", '{"city":"Oslo"}'), body=LOOK)])

    rows = {row["id"]: row for row in all_examples(tmp_path, built(tmp_path))}

    row = rows[identity(100)]
    assert json.loads(row["messages"]) == [user("why?"), _without_null(calls("look", '{"city":"Oslo"}'))]
    assert (row["learn"], row["exchange_ids"], row["multiplicity"]) == ([1], [identity(100)], 1)
    assert json.loads(row["tools"]) == LOOK["tools"]
    assert (row["response_format"], row["labelled"], row["teacher_answer"]) == (None, False, None)
    assert len(rows) == 61


def _without_null(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if value is not None}


EXCLUDED: list[tuple[str, dict[str, Any]]] = [
    ("failed", {"status": 500, "error_type": "http_500"}),
    ("failed", {"error_type": "malformed_answer"}),
    ("cut", {"complete": False}),
    ("truncated", {"finish_reason": "length"}),
    ("filtered", {"finish_reason": "content_filter"}),
    ("student_served", {"target": "student", "adapter": "a"}),
    ("not_a_chat", {"endpoint": "/embeddings"}),
    ("no_text", {"request": None}),
    ("no_text", {"response": None}),
    ("unparseable", {"request": "{"}),
    ("unparseable", {"request": '{"messages": []}'}),
    ("unparseable", {"response": "<html>"}),
    ("no_answer", {"answer": {"role": "assistant", "content": None}}),
    ("invalid_arguments", {"answer": calls("look", "{"), "body": LOOK}),
    ("invalid_arguments", {"answer": calls("look", '{"city": 1}'), "body": LOOK}),
    ("invalid_arguments", {"answer": calls("anything", "7")}),
    ("unknown_tool", {"answer": calls("touch", "{}"), "body": LOOK}),
    ("invalid_json", {"answer": says("no"), "body": {"response_format": {"type": "json_object"}}}),
]


@pytest.mark.parametrize(("reason", "told"), EXCLUDED)
def test_what_cannot_be_learned_is_left_out_with_its_reason(tmp_path: Path, reason: str, told: dict[str, Any]) -> None:
    file(tmp_path, [*asking_many(40), asked(100, user("why?"), **told)])

    manifest = built(tmp_path)

    assert manifest.exclusions == {reason: 1}
    assert excluded(tmp_path, manifest)[identity(100)][0] == reason
    assert f"| {reason} | 1 |" in (folder_of(tmp_path, manifest) / "README.md").read_text()


def test_an_answer_that_breaks_the_schema_it_was_asked_for_is_left_out(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["a"]}
    wanted = {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}}
    bad, good = says('{"b": 1}'), says('{"a": 1}')
    file(
        tmp_path,
        [
            *asking_many(40),
            *(asked(100 + n, user(f"{n}"), answer=a, body=wanted) for n, a in enumerate((bad, good))),
        ],
    )

    left_out = excluded(tmp_path, built(tmp_path))

    assert left_out == {identity(100): ("schema_invalid", "$: 'a' is a required property")}


def test_images_are_left_out_since_no_format_can_write_them(tmp_path: Path) -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    file(tmp_path, [*asking_many(40), asked(100, image)])

    assert built(tmp_path).exclusions == {"unwritable": 1}


def test_a_chat_that_does_not_fit_is_left_out_where_somebody_can_measure(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(40), asked(100, user("long " * 100))])

    def fits(chat: Chat) -> str | None:
        length = len(chat.body.messages[0]["content"])
        return f"{length} characters" if length > 100 else None

    manifest = built(tmp_path, fits=fits)

    assert excluded(tmp_path, manifest) == {identity(100): ("too_long", "500 characters")}


def test_a_conversation_is_one_example_that_learns_every_answer_of_the_teacher(tmp_path: Path) -> None:
    opening = [user("one")]
    second = [*opening, says("a1"), user("two")]
    third = [*second, says("a2"), user("three")]
    turns = [
        asked(100, *opening, answer=says("a1")),
        asked(101, *second, answer=says("a2"), target="student"),
        asked(102, *third, answer=says("a3")),
    ]
    file(tmp_path, [*asking_many(40), *turns])

    (row,) = [row for row in all_examples(tmp_path, built(tmp_path)) if row["id"] == identity(102)]

    assert [message["content"] for message in json.loads(row["messages"])] == ["one", "a1", "two", "a2", "three", "a3"]
    assert (row["learn"], row["exchange_ids"]) == ([1, 5], [identity(100), identity(102)])


def test_a_client_may_spell_an_answer_in_another_way_when_it_sends_it_back(tmp_path: Path) -> None:
    sent = calls("look", '{"city":"Oslo","days":2}')
    returned = calls("look", '{"days": 2, "city": "Oslo"}')
    result = {"role": "tool", "tool_call_id": "c", "content": "rain"}
    file(tmp_path, [*asking_many(40), asked(100, user("q"), answer=sent), asked(101, user("q"), returned, result)])

    assert identity(100) not in {row["id"] for row in all_examples(tmp_path, built(tmp_path))}


def test_of_exact_duplicates_the_newest_answer_is_learned_and_their_number_kept(tmp_path: Path) -> None:
    same = [
        asked(100 + n, user("again  and\nagain"[::1] if n else "again and again"), answer=says(f"v{n}"))
        for n in range(3)
    ]
    file(tmp_path, [*asking_many(40), *same])

    manifest = built(tmp_path)

    (row,) = [row for row in all_examples(tmp_path, manifest) if row["id"] == identity(102)]
    assert (json.loads(row["messages"])[-1]["content"], row["multiplicity"]) == ("v2", 3)
    assert excluded(tmp_path, manifest) == {identity(n): ("duplicate", identity(102)) for n in (100, 101)}


def test_a_label_replaces_the_answer_and_beats_newer_duplicates(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(40), asked(100, user("why?"), answer=says("wrong")), asked(101, user("why?"))])
    append(tmp_path, "labels", table_of("labels", [label(100, says("right"))]))

    (row,) = [row for row in all_examples(tmp_path, built(tmp_path)) if row["labelled"]]

    assert (row["id"], json.loads(row["messages"])[-1]) == (identity(100), says("right"))
    assert json.loads(row["teacher_answer"]) == says("wrong")


def test_a_label_saves_an_exchange_whose_answer_is_of_no_use(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(40), asked(100, user("why?"), status=500, error_type="http_500", response="{}")])
    append(tmp_path, "labels", table_of("labels", [label(100, says("right"))]))

    (row,) = [row for row in all_examples(tmp_path, built(tmp_path)) if row["labelled"]]

    assert (row["id"], row["teacher_answer"]) == (identity(100), None)


def test_a_labelled_turn_is_learned_apart_from_the_conversation_that_went_on_from_the_logged_one(
    tmp_path: Path,
) -> None:
    turns = [
        asked(100, user("one"), answer=says("wrong")),
        asked(101, user("one"), says("wrong"), user("two"), answer=says("end")),
    ]
    file(tmp_path, [*asking_many(40), *turns])
    append(tmp_path, "labels", table_of("labels", [label(100, says("right"))]))

    rows = {row["id"]: row for row in all_examples(tmp_path, built(tmp_path))}

    assert (rows[identity(100)]["learn"], rows[identity(101)]["learn"]) == ([1], [3])
    assert rows[identity(100)]["group"] == rows[identity(101)]["group"]


@pytest.mark.parametrize("right", ["wrong", "right"])
def test_a_labelled_turn_is_known_by_its_label_also_where_the_conversation_went_on_from_that(
    tmp_path: Path, right: str
) -> None:
    turns = [
        asked(100, user("one"), answer=says("wrong")),
        asked(101, user("one"), says(right), user("two"), answer=says("end")),
    ]
    file(tmp_path, [*asking_many(40), *turns])
    append(tmp_path, "labels", table_of("labels", [label(100, says(right))]))

    manifest = built(tmp_path)

    rows = {row["id"]: row for row in all_examples(tmp_path, manifest)}
    assert (rows[identity(100)]["learn"], rows[identity(101)]["learn"]) == ([1], [3])
    assert (rows[identity(100)]["labelled"], json.loads(rows[identity(100)]["teacher_answer"])) == (True, says("wrong"))
    assert rows[identity(100)]["group"] == rows[identity(101)]["group"]
    assert sum(side.labelled for side in manifest.sides.values()) == 1


def test_an_old_answer_is_shown_the_tools_of_today_if_it_keeps_to_them(tmp_path: Path) -> None:
    old, new = tool("look", city="string"), tool("look", city="string", days="integer")
    kept = calls("look", '{"city": "Oslo", "days": 1}')
    file(
        tmp_path,
        [
            *asking_many(40),
            asked(100, user("a"), answer=kept, body={"tools": [old]}),
            asked(101, user("b"), answer=calls("look", '{"city": "Oslo"}'), body={"tools": [old]}),
            asked(102, user("c"), answer=kept, body={"tools": [new]}),
        ],
    )

    manifest = built(tmp_path)

    assert manifest.exclusions == {"tools_changed": 1}
    assert excluded(tmp_path, manifest)[identity(101)][1] == "look: $: 'days' is a required property"
    tools = {row["id"]: row["tools"] for row in all_examples(tmp_path, manifest)}
    assert json.loads(tools[identity(100)]) == [new]


def test_tools_that_are_used_side_by_side_stay_as_they_were_sent(tmp_path: Path) -> None:
    tools = [tool("look", city="string"), tool("look", town="string")]
    records = [asked(100 + n, user(f"q{n}"), body={"tools": [tools[n % 2]]}) for n in range(4)]
    file(tmp_path, [*asking_many(40), *records])

    rows = {row["id"]: row["tools"] for row in all_examples(tmp_path, built(tmp_path))}

    assert [json.loads(rows[identity(100 + n)])[0] for n in range(4)] == [tools[0], tools[1]] * 2


def test_every_exchange_is_accounted_for(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(50), *(asked(100 + n, user("x"), **told) for n, (_, told) in enumerate(EXCLUDED))])

    manifest = built(tmp_path)

    answers = sum(len(row["learn"]) for row in all_examples(tmp_path, manifest))
    assert answers + sum(manifest.exclusions.values()) == manifest.exchanges == 50 + len(EXCLUDED)


def test_building_again_gives_the_dataset_that_is_there(tmp_path: Path) -> None:
    file(tmp_path, asking_many(60))
    first = built(tmp_path)
    before = contents(tmp_path)

    assert built(tmp_path) == first
    assert contents(tmp_path) == before


def test_the_same_store_gives_the_same_dataset_in_whatever_order_it_was_filed(tmp_path: Path) -> None:
    records = [*asking_many(60), asked(100, user("again")), asked(101, user("again"))]
    for name, order in (("a", records), ("b", records[::-1])):
        for record in (order[:30], order[30:]):
            file(tmp_path / name, record)
        built(tmp_path / name)

    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_training_side_keeps_to_its_maximum_and_fresh_examples_are_more_likely_to_stay(tmp_path: Path) -> None:
    old = asking_many(150)
    new = [asked(n, user(f"question {n}"), time_us=NOON_US + 100 * DAY_US + n) for n in range(200, 350)]
    file(tmp_path, [*old, *new])

    manifest = built(tmp_path, Settings(min_examples=1, max_examples=80))

    train = examples(tmp_path, manifest)["train"]
    assert len(train) == 80
    assert manifest.exclusions == {"over_max": 300 - sum(side.examples for side in manifest.sides.values())}
    assert sum(row["newest"] for row in train) > 50


def test_near_duplicates_weigh_less_and_test_examples_tell_their_novelty(tmp_path: Path) -> None:
    base = "the quick brown fox jumps over the lazy dog while seven wizards box quietly beside a frozen lake near "
    near = [asked(n, user(base + f"town {n}")) for n in range(60)]
    others = [asked(n, user(f"{n * 7919} " * 12)) for n in range(100, 200)]
    file(tmp_path, [*near, *others])

    sides = examples(tmp_path, built(tmp_path))

    near_ids = {identity(n) for n in range(60)}
    weights = {row["weight"] for row in sides["train"] if row["id"] in near_ids}
    assert max(weights) < 0.5
    assert {row["weight"] for row in sides["test"]} == {1.0}
    assert all(row["novelty"] is None for row in sides["train"])
    assert all(row["novelty"] < 0.3 for row in sides["test"] if row["id"] in near_ids)
    assert all(row["novelty"] > 0.5 for row in sides["test"] if row["id"] not in near_ids)


def test_too_little_to_learn_from_is_an_error_that_says_where_the_rest_went(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(20), *(asked(100 + n, user(f"x{n}"), status=500) for n in range(9))])

    with pytest.raises(TooFewExamples, match=r"left out: 9 failed") as error:
        built(tmp_path, Settings())

    assert "min_examples" in error.value.remedy
    assert contents(tmp_path) == {}


def test_an_empty_workload_is_an_error_that_names_those_that_are_there(tmp_path: Path) -> None:
    file(tmp_path, asking_many(3))

    with pytest.raises(UnknownWorkload, match=r"workload = x; there are: w \(3\)"):
        build(tmp_path, Selection("x"), FEW)


def test_a_fingerprint_and_a_condition_pick_exchanges_too(tmp_path: Path) -> None:
    file(tmp_path, [*asking_many(40, fingerprint="abcd1234", workload=None), asked(100, user("no"))])

    by_fingerprint = build(tmp_path, Selection("fingerprint:abcd"), FEW)
    by_condition = build(tmp_path, Selection("some", where="workload is null"), FEW)

    assert (by_fingerprint.exchanges, by_condition.exchanges) == (40, 40)
    assert {row["id"] for row in all_examples(tmp_path, by_fingerprint)} == {
        row["id"] for row in all_examples(tmp_path, by_condition)
    }


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "..", "fingerprint:ab12"])
def test_the_folder_of_a_workload_stays_below_the_datasets(tmp_path: Path, name: str) -> None:
    place = place_of(tmp_path, name)

    assert place.parent == tmp_path / "datasets"
    assert not place.name.startswith(".")


def test_a_dataset_is_found_by_a_piece_of_its_name(tmp_path: Path) -> None:
    file(tmp_path, asking_many(40))
    first = built(tmp_path)
    file(tmp_path, [asked(100, user("more"), time_us=NOON_US + DAY_US)])
    second = built(tmp_path)

    assert find(tmp_path, "w") == second
    assert find(tmp_path, "w", first.name[-6:]) == first
    with pytest.raises(UnknownDataset, match="names no dataset"):
        find(tmp_path, "w", "zzz")


def test_assignments_are_there_once_whatever_is_built_again(tmp_path: Path) -> None:
    file(tmp_path, asking_many(40))
    built(tmp_path)
    before = rows(tmp_path, "select * from splits order by key")

    built(tmp_path, Settings(min_examples=1, test_share=0.5))

    assert rows(tmp_path, "select * from splits order by key") == before
