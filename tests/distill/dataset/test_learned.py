"""What is new in a dataset is told by what it teaches, whatever its exchanges are called and however many have left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.dataset.learned import Answers, answers_of, changed_labels, new_answers
from distill.dataset.snapshot import folder_of
from distill.labels.write import write_label
from tests.distill.dataset.traffic import SIDES, asked, built, calls, examples, file, identity, says, tool, user


def answers(folder: Path) -> Answers:
    """Of the newest traffic."""
    place = folder_of(folder, built(folder))
    return answers_of([place / f"{side}.parquet" for side in SIDES])


def test_every_turn_that_is_learned_counts_with_all_that_it_depends_on(tmp_path: Path) -> None:
    tools: dict[str, Any] = {"tools": [tool("f", a="string")]}
    call = calls("f", '{"a": "1"}')
    result = {"role": "tool", "tool_call_id": "c", "content": "ok"}
    file(
        tmp_path,
        [
            asked(1, user("one"), answer=call, body=tools),
            asked(2, user("one"), call, result, answer=says("done"), body=tools),
        ],
    )
    one = answers(tmp_path)
    assert len(one) == 2
    file(tmp_path, [asked(3, user("two"), answer=says("two"))])

    assert (new_answers(one, answers(tmp_path)), new_answers(answers(tmp_path), one)) == (1, 0)


def test_another_answer_or_other_tools_are_new_and_another_id_of_a_call_is_not(tmp_path: Path) -> None:
    def told(name: str, **asking: Any) -> Answers:
        folder = tmp_path / name
        file(folder, [asked(1, user("one"), **asking)])
        return answers(folder)

    tools: dict[str, Any] = {"body": {"tools": [tool("f", a="string")]}}
    call = calls("f", '{"a": "1"}')
    renamed = calls("f", '{"a":"1"}')
    renamed["tool_calls"][0]["id"] = "another"
    before = told("before", answer=call, **tools)

    assert new_answers(before, told("renamed", answer=renamed, **tools)) == 0
    assert new_answers(before, told("other", answer=calls("f", '{"a": "2"}'), **tools)) == 1
    more = {"body": {"tools": [tool("f", a="string"), tool("g")]}}
    assert new_answers(before, told("tools", answer=call, **more)) == 1


def test_a_label_counts_when_it_is_given_and_when_it_is_changed(tmp_path: Path) -> None:
    file(tmp_path, [asked(number, user(f"mail {number}")) for number in range(20)])
    none = answers(tmp_path)
    write_label(tmp_path, identity(3), says("right"), author="t", source="t")
    given = answers(tmp_path)
    write_label(tmp_path, identity(3), says("better"), author="t", source="t")
    changed = answers(tmp_path)

    assert [changed_labels(none, none), changed_labels(none, given), changed_labels(given, changed)] == [0, 1, 1]
    assert changed_labels(given, none) == 1
    assert sum(row["labelled"] for rows in examples(tmp_path, built(tmp_path)).values() for row in rows) == 1
