"""What is read of the record, whatever its rows hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nightschool.record import Record
from nightschool.store.query import ask
from proxy.replay.past import Past, count_past, read_past
from tests.distill.dataset.traffic import asked, file, user


def read(folder: Path, *records: Record) -> list[Past]:
    file(folder, records)
    return ask(folder, lambda store: list(read_past(store, "true", [])))


def test_audits_and_imports_are_left_out(tmp_path: Path) -> None:
    reasons = ("audit", "import", "rule", "live")
    found = read(tmp_path, *(asked(number, user("?"), reason=reason) for number, reason in enumerate(reasons)))

    assert {each.reason for each in found} == {"rule", "live"}
    assert ask(tmp_path, lambda store: count_past(store, "reason = ? or true", ["x"])) == 2


def test_all_tokens_are_read_of_the_answer_where_there_was_reasoning(tmp_path: Path) -> None:
    told: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5}
    usage = '{"usage": {"total_tokens": 22}}'
    found = read(
        tmp_path,
        asked(1, user("?"), **told, response=usage, reasoning_tokens=7),
        asked(2, user("?"), **told, response=usage, reasoning_tokens=0),
        asked(3, user("?"), **told, response=None, reasoning_tokens=7),
        asked(4, user("?"), response="no JSON", reasoning_tokens=None),
    )

    in_order = sorted(found, key=lambda each: each.time_us)
    assert [each.total_tokens for each in in_order] == [22, None, None, None]
    assert [each.usage.billed_completion for each in in_order] == [12, 5, 5, None]


def test_the_facts_are_those_of_the_request_with_the_model_and_the_tags_of_the_record(tmp_path: Path) -> None:
    body = {"metadata": {"team": "a", "from": "body"}}
    (azure,) = read(tmp_path, asked(1, user("?"), body=body, model_requested="deployed", tags={"team": "b"}))

    facts = azure.facts()

    assert facts.model == "deployed"
    assert facts.tags == {"team": "b", "from": "body"}
