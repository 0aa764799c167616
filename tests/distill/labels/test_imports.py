"""Labels: out to a person, and in again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.labels.exports import export_labels
from distill.labels.imports import Imported, import_labels
from distill.selection import Selection, UnknownWorkload
from nightschool.errors import ImportFileError
from nightschool.store.durable import new_file
from tests.store.logs import NOON_US, exchange, rows, text_id, write_log


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Three exchanges of the workload `w`."""
    frames = [exchange(NOON_US + n, n, workload="w", conversation=f"c{n}") for n in range(3)]
    write_log(tmp_path / "data", frames)
    return tmp_path / "data"


def bring(store: Path, *lines: Any, **told: str) -> Imported:
    file = store.parent / "labels.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return import_labels(store, file, **told)


def labelled(store: Path) -> list[tuple[Any, ...]]:
    return rows(store, "select exchange_id, message, author, source from labels order by time")


def test_text_becomes_an_assistant_message(store: Path) -> None:
    bring(store, {"id": text_id(NOON_US), "message": "so be it", "author": "ann", "source": "review"})

    assert labelled(store) == [(text_id(NOON_US), '{"role":"assistant","content":"so be it"}', "ann", "review")]


def test_arguments_may_be_objects_and_calls_need_no_ids(store: Path) -> None:
    call = {"function": {"name": "look", "arguments": {"city": "Oslo"}}}

    bring(store, {"id": text_id(NOON_US), "message": {"content": None, "tool_calls": [call]}})

    ((_, message, _, _),) = labelled(store)
    (stored,) = json.loads(message)["tool_calls"]
    assert stored == {"id": "call_0", "type": "function", "function": {"name": "look", "arguments": '{"city":"Oslo"}'}}


def test_a_place_in_a_conversation_names_an_exchange(store: Path) -> None:
    bring(store, {"conversation": "c1", "position": 1, "message": "yes"})

    assert [identity for identity, *_ in labelled(store)] == [text_id(NOON_US + 1, 1)]


def test_unknown_exchanges_are_counted_and_named_and_the_rest_is_imported(store: Path) -> None:
    result = bring(
        store,
        {"id": "nobody", "message": "a"},
        {"conversation": "c1", "position": 7, "message": "b"},
        {"id": text_id(NOON_US), "message": "c"},
    )

    assert (result.labels, result.unknown) == (1, 2)
    assert result.faults == [
        "line 1: there is no exchange nobody",
        "line 2: there is no exchange conversation c1, position 7",
    ]


def test_lines_that_say_nothing_are_named(store: Path) -> None:
    good = {"id": text_id(NOON_US), "message": "c"}

    result = bring(store, good, "{", {"message": "x"}, {"id": "a"}, {"id": "a", "message": {"role": "user"}})

    assert (result.labels, result.bad_lines) == (1, 4)
    assert [fault.split(": ")[1].split(" ", 2)[2][:22] for fault in result.faults] == [
        "is not JSON",
        "names no exchange",
        "has no `message`, whic",
        "has a message that is ",
    ]


def test_a_file_of_strangers_is_an_error(store: Path) -> None:
    with pytest.raises(ImportFileError, match="there is no exchange nobody"):
        bring(store, {"id": "nobody", "message": "a"})


def test_importing_again_adds_nothing_and_a_new_label_is_added(store: Path) -> None:
    line = {"id": text_id(NOON_US), "message": "one", "author": "ann"}
    bring(store, line)

    again = bring(store, line)
    newer = bring(store, {**line, "message": "two"})

    assert (again.labels, again.already_there, newer.labels) == (0, 1, 1)
    assert len(labelled(store)) == 2


def test_of_two_lines_about_one_exchange_the_later_counts(store: Path) -> None:
    lines = [{"id": text_id(NOON_US), "message": text} for text in ("one", "two")]
    bring(store, *lines)

    assert [json.loads(message)["content"] for _, message, _, _ in labelled(store)] == ["two"]
    assert bring(store, *lines).already_there == 1
    assert len(labelled(store)) == 1


def test_what_was_exported_and_not_edited_becomes_no_label(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    assert export_labels(store, Selection("w"), lambda: new_file(file), limit=2) == 2
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[0]["message"]["content"] = "better"

    result = bring(store, *lines)

    assert lines[1] == {
        "id": text_id(NOON_US + 1, 1),
        "question": "why?",
        "answer": {"role": "assistant", "content": "because"},
        "message": {"role": "assistant", "content": "because"},
        "author": None,
        "source": None,
    }
    assert (result.labels, result.unchanged) == (1, 1)
    assert bring(store, *lines, author="ann").labels == 2


def test_an_export_shows_the_label_that_counts(store: Path, tmp_path: Path) -> None:
    bring(store, {"id": text_id(NOON_US + 2, 2), "message": "label", "author": "ann"})
    file = tmp_path / "out.jsonl"

    export_labels(store, Selection("w"), lambda: new_file(file), limit=1)

    line = json.loads(file.read_text())
    assert (line["answer"]["content"], line["message"]["content"], line["author"]) == ("because", "label", "ann")


def test_an_unknown_workload_is_an_error(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownWorkload, match="no answer is recorded for workload = x"):
        export_labels(store, Selection("x"), lambda: new_file(tmp_path / "out"), limit=1)
