"""Exchanges -> files, and back."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet as pq
import pytest

from nightschool.store.absorb import absorb, finished_logs
from nightschool.store.export import Exported, Format, chat_of, export
from nightschool.store.filter import Filter
from nightschool.store.imports.importer import import_files
from nightschool.store.manifest import prepare_folder
from nightschool.store.schema import EXCHANGES
from nightschool.wire.redact import Redactor
from tests.store.logs import NOON_US, end, exchange, ids, request, rows, write_log

ODD = '{"model": "gpt-x",\n "temperature": 1.50, "messages": [{"role": "user", "content": "\\u00e9 1e5"}]}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good exchange, one that was refused, one that was cut."""
    prepare_folder(tmp_path / "store")
    frames = [
        exchange(NOON_US, 0, question="é\n“why?”", tags={"a": "b"}),
        [*request(NOON_US + 1, 1), *end(NOON_US + 1, 1, status=429)],
        request(NOON_US + 2, 2),
    ]
    write_log(tmp_path / "store", frames)
    absorb(tmp_path / "store", finished_logs(tmp_path / "store"))
    return tmp_path / "store"


def export_to(folder: Path, file: Path, form: Format, filters: Filter | None = None) -> Exported:
    def open_file() -> AbstractContextManager[BinaryIO]:
        return file.open("wb")

    return export(folder, filters or Filter(), form, open_file)


def whole(folder: Path) -> list[tuple[Any, ...]]:
    return rows(folder, "select * from exchanges order by id")


def test_records_can_be_imported_elsewhere_and_are_the_same_there(folder: Path, tmp_path: Path) -> None:
    result = export_to(folder, tmp_path / "all.jsonl", "records")
    imported = import_files(tmp_path / "other", [tmp_path / "all.jsonl"], prices={})

    assert (result.rows, imported.exchanges) == (3, 3)
    assert whole(tmp_path / "other") == whole(folder)
    assert import_files(tmp_path / "other", [tmp_path / "all.jsonl"], prices={}).already_there == 3


def test_records_that_come_from_a_store_without_rules_are_redacted(folder: Path, tmp_path: Path) -> None:
    export_to(folder, tmp_path / "all.jsonl", "records")
    rule = Redactor([(re.compile("because"), "[why]")])
    import_files(tmp_path / "other", [tmp_path / "all.jsonl"], prices={}, redactor=rule)

    told = "select response from exchanges where response is not null order by id"
    before, after = ([text for (text,) in rows(place, told)] for place in (folder, tmp_path / "other"))
    assert len(before) == 2
    assert after == [text.replace("because", "[why]") for text in before]


def test_text_that_was_recorded_comes_back_to_the_letter_but_for_line_ends(tmp_path: Path) -> None:
    from nightschool.record import Record, id_text, new_id
    from nightschool.store.manifest import publish
    from nightschool.store.schema import table_of
    from nightschool.store.segment import seal

    texts = [ODD, "not { json", '"a string"', '{"broken": ', "[1.0, 1e5]"]
    records = [
        Record(id=id_text(new_id(NOON_US)), time_us=NOON_US + n, request=text, response=text)
        for n, text in enumerate(texts)
    ]
    prepare_folder(tmp_path / "a")
    segments = seal(tmp_path / "a", "exchanges", table_of("exchanges", records))
    publish(tmp_path / "a", lambda manifest: manifest.with_segments("exchanges", segments))

    export_to(tmp_path / "a", tmp_path / "all.jsonl", "records")
    import_files(tmp_path / "b", [tmp_path / "all.jsonl"], prices={})

    compact = '{"model":"gpt-x","temperature":1.50,"messages":[{"role":"user","content":"\\u00e9 1e5"}]}'
    found = rows(tmp_path / "b", "select request, response from exchanges order by time")
    assert found == [(text, text) for text in (compact, *texts[1:])]


def test_chats_hold_messages_and_answer_and_what_makes_none_is_counted(folder: Path, tmp_path: Path) -> None:
    result = export_to(folder, tmp_path / "chats.jsonl", "openai")

    (line,) = (tmp_path / "chats.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "messages": [{"role": "user", "content": "é\n“why?”"}, {"role": "assistant", "content": "because"}]
    }
    assert (result.rows, dict(result.left_out)) == (1, {"failed or cut": 2})


def test_a_chat_with_tools_keeps_them_and_the_arguments_stay_text() -> None:
    tools = [{"type": "function", "function": {"name": "redact"}}]
    call = {"id": "c", "type": "function", "function": {"name": "redact", "arguments": '{"a": 1.0}'}}
    row = {
        "status": 200,
        "complete": True,
        "request": json.dumps({"messages": [{"role": "user", "content": "x"}], "tools": tools, "temperature": 1}),
        "response": json.dumps(
            {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [call]}}]}
        ),
    }

    chat = chat_of(row)

    assert chat == {
        "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}],
        "tools": tools,
    }


@pytest.mark.parametrize("request_text", [None, "no json", "[]", '{"input": "x"}', '{"messages": "x"}'])
def test_what_is_no_chat_says_so(request_text: str | None) -> None:
    row = {"status": 200, "complete": True, "request": request_text, "response": '{"choices": [{"message": {}}]}'}

    with pytest.raises(ValueError, match="no chat"):
        chat_of(row)


def test_parquet_has_the_columns_of_the_store(folder: Path, tmp_path: Path) -> None:
    result = export_to(folder, tmp_path / "all.parquet", "parquet")

    table = pq.read_table(tmp_path / "all.parquet")
    assert (result.rows, table.column("id").to_pylist()) == (3, ids(folder))
    assert table.schema.names == EXCHANGES.names


def test_a_filter_holds_for_the_export_too(folder: Path, tmp_path: Path) -> None:
    assert export_to(folder, tmp_path / "some.jsonl", "records", Filter(status="429")).rows == 1
