"""Log probabilities on their way from the store into a dataset."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.dataset.logprobs import Likely, TeacherToken, compact, read
from distill.dataset.snapshot import folder_of
from nightschool.record import Label
from nightschool.store.append import append
from nightschool.store.schema import table_of
from tests.distill.dataset.traffic import (
    DAY_US,
    NOON_US,
    all_examples,
    asked,
    built,
    calls,
    file,
    identity,
    says,
    user,
)
from tests.distill.recorded_logprobs import entry, recorded

tokens = st.binary(min_size=1, max_size=6)
logprobs = st.floats(-30, 0).map(lambda value: round(value, 4))
likely = st.tuples(tokens, logprobs)


@given(st.lists(st.tuples(likely, st.lists(likely, max_size=4)), min_size=1, max_size=5))
def test_tokens_are_kept_byte_by_byte(said: list[tuple[tuple[bytes, float], list[tuple[bytes, float]]]]) -> None:
    content = [entry(*own, top=top) for own, top in said]

    kept = compact(json.dumps([{"content": content}, None]))

    assert kept is not None
    assert read(kept) == [TeacherToken(Likely(*own), tuple(Likely(*each) for each in top)) for own, top in said]


def test_without_bytes_the_text_of_a_token_stands_for_them() -> None:
    kept = compact(json.dumps([{"content": [{"token": "é", "logprob": -0.25, "bytes": None}]}]))

    assert kept is not None
    assert read(kept) == [TeacherToken(Likely("é".encode(), -0.25), ())]


@pytest.mark.parametrize(
    "text",
    [
        "null",
        "[]",
        "[null]",
        "{",
        '[{"content": null}]',
        '[{"content": []}]',
        '[{"content": [{"token": "a"}]}]',
        '[{"content": [{"token": "a", "logprob": null}]}]',
        '[{"content": [{"token": "a", "logprob": NaN}]}]',
        '[{"content": [{"token": "a", "logprob": -1, "bytes": [300]}]}]',
        '[{"content": [1]}]',
        '[{"content": 7}]',
    ],
)
def test_what_is_no_list_of_tokens_is_none(text: str) -> None:
    assert compact(text) is None


def test_minus_infinity_becomes_a_number_that_json_has() -> None:
    kept = compact('[{"content": [{"token": "a", "logprob": -Infinity, "bytes": [97]}]}]')

    assert kept is not None
    assert read(kept)[0].said.logprob == -9_999
    assert math.exp(-9_999) == 0


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in all_examples(folder, built(folder))}


def test_an_answer_has_the_log_probabilities_of_its_own_exchange(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, user(f"q {n}"), answer=says(f"a{n}"), logprobs=recorded(f"a{n}")) for n in range(30)])

    rows = rows_of(tmp_path)

    assert len(rows) == 30
    for number in range(30):
        (kept,) = rows[identity(number)]["logprobs"]
        assert b"".join(token.said.data for token in read(kept)) == f"a{number}".encode()


def test_each_answer_of_a_conversation_has_its_own_and_one_without_has_null(tmp_path: Path) -> None:
    second = [user("one"), says("a1"), user("two")]
    third = [*second, says("a2"), user("three")]
    turns = [
        asked(100, user("one"), answer=says("a1"), logprobs=recorded("a1")),
        asked(101, *second, answer=says("a2")),
        asked(102, *third, answer=says("a3"), logprobs=recorded("a3")),
    ]
    file(tmp_path, [*(asked(n, user(f"q {n}")) for n in range(30)), *turns])

    rows = rows_of(tmp_path)

    assert rows[identity(102)]["logprobs"] == [compact(recorded("a1")), None, compact(recorded("a3"))]
    assert rows[identity(0)]["logprobs"] is None


def test_a_label_has_none_since_the_teacher_did_not_say_it(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, user(f"q {n}"), answer=says("wrong"), logprobs=recorded("wrong")) for n in range(30)])
    label = Label(
        exchange_id=identity(3), time_us=NOON_US + DAY_US, message=json.dumps(says("right")), author="a", source="r"
    )
    append(tmp_path, "labels", table_of("labels", [label]))

    rows = rows_of(tmp_path)

    assert [name for name, row in rows.items() if row["logprobs"] is None] == [identity(3)]


def test_the_card_says_how_many_answers_have_them(tmp_path: Path) -> None:
    records = [asked(n, user(f"q {n}"), answer=says("yes"), logprobs=recorded("yes")) for n in range(20)]
    file(tmp_path, [*records, asked(100, user("why?"), answer=calls("look", "{}"), logprobs="[null]")])

    manifest = built(tmp_path)

    assert sum(side.with_logprobs for side in manifest.sides.values()) == 20
    train = manifest.sides["train"]
    card = (folder_of(tmp_path, manifest) / "README.md").read_text()
    assert f"- Log probabilities of the teacher: {train.with_logprobs:,} of {train.answers:,} train, " in card


def test_without_any_the_card_says_nothing_of_them(tmp_path: Path) -> None:
    file(tmp_path, [asked(n, user(f"q {n}")) for n in range(20)])

    manifest = built(tmp_path)

    assert "probabilities" not in (folder_of(tmp_path, manifest) / "README.md").read_text()
    assert not any(row["logprobs"] for row in all_examples(tmp_path, manifest))
