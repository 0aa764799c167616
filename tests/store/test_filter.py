"""Filters: what people write, and what it means."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.erase import find
from nightschool.store.filter import NO_WORKLOAD, Filter, moment, parse_status, parse_time
from nightschool.store.manifest import prepare_folder
from nightschool.store.reader import Window
from tests.distill.dataset.traffic import asked, file, identity, says, user
from tests.store.logs import NOON_US, end, exchange, request, text_id, write_log

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """0: a triage call; 1: a plain one with a tag; 2: rate-limited; 3: cut by the death of the proxy."""
    folder = tmp_path_factory.mktemp("store")
    prepare_folder(folder)
    frames = [
        exchange(NOON_US, 0, workload="triage"),
        exchange(NOON_US + 1, 1, tags={"feature": "inbox", "odd'key": "odd'value"}),
        [*request(NOON_US + 2, 2), *end(NOON_US + 2, 2, status=429)],
        request(NOON_US + 3, 3),
    ]
    write_log(folder, frames)
    absorb(folder, finished_logs(folder))
    return folder


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filter(), {0, 1, 2, 3}),
        (Filter(workload="triage"), {0}),
        (Filter(workload=NO_WORKLOAD), {1, 2, 3}),
        (Filter(target="teacher"), {0, 1, 2, 3}),
        (Filter(target="student"), set()),
        (Filter(text="BECAUSE"), {0, 1, 2}),
        (Filter(text="b_cause"), set()),
        (Filter(text="%"), set()),
        (Filter(model="gpt-*"), {0, 1, 2, 3}),
        (Filter(model="gpt"), set()),
        (Filter(status="429"), {2}),
        (Filter(status="4xx"), {2}),
        (Filter(status="2xx"), {0, 1}),
        (Filter(status="error"), {2, 3}),
        (Filter(tags={"feature": "inbox"}), {1}),
        (Filter(tags={"feature": "inbox", "odd'key": "odd'value"}), {1}),
        (Filter(tags={"feature": "outbox"}), set()),
        (Filter(window=Window(NOON_US + 1, None)), {1, 2, 3}),
        (Filter(window=Window(None, NOON_US + 1)), {0}),
        (Filter(where="prompt_tokens = 10 or status is null"), {0, 1, 2, 3}),
        (Filter(workload="triage", where="true or true"), {0}),
        (Filter(where="status = 200 -- and a comment"), {0, 1}),
    ],
)
def test_a_filter_finds_what_it_says(folder: Path, filters: Filter, expected: set[int]) -> None:
    assert find(folder, *filters.condition()) == {text_id(NOON_US + n, n) for n in expected}


@pytest.mark.parametrize("text", ['she said "no"', "back\\slash", "tab\there", "Zürich", "100 %_", "漢字"])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_text_is_found_however_its_json_was_written(tmp_path: Path, text: str, escaped: bool) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": f"so: {text}."}]}, ensure_ascii=escaped)
    file(tmp_path, [asked(1, user("x"), request=body), asked(2, user("y"), answer=says(f"so: {text}!")), asked(3)])

    assert find(tmp_path, *Filter(text=text).condition()) == {identity(1), identity(2)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(days=14)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ],
)
def test_a_time_is_a_span_or_a_date(text: str, expected: datetime) -> None:
    assert moment(parse_time(text, NOW)) == expected


@pytest.mark.parametrize("text", ["yesterday", "7", "-7d", "", "2026-13-01"])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_time(text, NOW)


@pytest.mark.parametrize("text", ["429", "5xx", "error"])
def test_a_status_is_a_number_a_class_or_error(text: str) -> None:
    assert parse_status(text) == text


@pytest.mark.parametrize("text", ["42", "6xx", "ok", "", "4290"])
def test_anything_else_is_no_status(text: str) -> None:
    with pytest.raises(ValueError, match="is no status"):
        parse_status(text)
