"""The prompts of a dataset are those of the requests that it comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.dataset.prompts import fingerprints_of
from distill.dataset.snapshot import folder_of
from nightschool.record import Record
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import read_request
from tests.distill.dataset.traffic import asked, built, calls, examples, file, tool, user

SYSTEM = [{"role": "system", "content": content} for content in ("You sort mail of 2026-11-25.", "You write poems.")]
TOOL = {"tools": [tool("sort", box="string")], "response_format": {"type": "text"}}


def test_an_example_has_the_fingerprint_of_its_request(tmp_path: Path) -> None:
    records = [
        asked(number, SYSTEM[number % 3 == 0], user(f"Mail {number * 7919}"), **_kind(number)) for number in range(90)
    ]
    prints = {record.id: _fingerprint(record) for record in records}
    file(tmp_path, records)
    manifest = built(tmp_path)

    counted = fingerprints_of([folder_of(tmp_path, manifest) / "train.parquet"])

    learned = [prints[row["id"]] for row in examples(tmp_path, manifest)["train"]]
    assert counted == {name: learned.count(name) for name in learned}
    assert len(counted) == 4  # two system prompts, each with and without the tool


def _fingerprint(record: Record) -> str | None:
    request = read_request((record.request or "").encode())
    assert request is not None
    return fingerprint(request)


def _kind(number: int) -> dict[str, Any]:
    if number % 2:
        return {"body": TOOL, "answer": calls("sort", f'{{"box": "b{number}"}}')}
    return {}
