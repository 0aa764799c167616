"""Datasets as other trainers read them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from distill.dataset.export import export
from distill.dataset.snapshot import folder_of
from tests.distill.dataset.traffic import SIDES, asked, built, calls, file, says, tool, user

LOOK = {"tools": [tool("look", city="string")]}


def conversations(folder: Path) -> Path:
    """Sixty conversations of two turns, the first of which a student answered, and its dataset."""
    records = []
    for number in range(60):
        opening = [user(f"question {number}")]
        more = [*opening, says("hm"), user("look it up")]
        records.append(asked(2 * number, *opening, answer=says("hm"), target="student"))
        records.append(asked(2 * number + 1, *more, answer=calls("look", '{"city": "Oslo"}'), body=LOOK))
    file(folder, records)
    return folder_of(folder, built(folder))


def test_openai_lines_say_which_answers_are_not_to_be_learned(tmp_path: Path) -> None:
    counts = export(conversations(tmp_path / "data"), "openai", tmp_path / "out")

    texts = [(tmp_path / "out" / f"{side}.jsonl").read_text() for side in SIDES]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    assert len(lines) == sum(counts.values()) == 60
    assert [message.get("weight") for message in lines[0]["messages"]] == [None, 0, None, None]
    assert lines[0]["tools"] == LOOK["tools"]


def test_parquet_holds_messages_as_columns(tmp_path: Path) -> None:
    counts = export(conversations(tmp_path / "data"), "parquet", tmp_path / "out")

    rows = pq.read_table(tmp_path / "out" / "train.parquet").to_pylist()
    assert len(rows) == counts["train"]
    messages = rows[0]["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    assert [message["learn"] for message in messages] == [False, False, False, True]
    assert messages[-1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"city": "Oslo"}'}
