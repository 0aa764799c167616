"""Questions, and what happens to damaged files that they stumble over."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from nightschool.record import Record
from nightschool.store.compact import compact_once
from nightschool.store.manifest import Manifest, Segment, prepare_folder, publish, read_manifest
from nightschool.store.quarantine import list_quarantine
from nightschool.store.query import QueryFailed, ask
from nightschool.store.schema import EXCHANGES, table_of
from nightschool.store.segment import seal
from nightschool.store.sweep import sweep
from tests.store.logs import DAY_US, NOON_US


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two segments of 500 rows."""
    prepare_folder(tmp_path)
    for part in range(2):
        numbers = range(500 * part, 500 * part + 500)
        records = [Record(id=str(n), time_us=NOON_US + n, request=f"{n * 7919}" * 50) for n in numbers]
        written = seal(tmp_path, "exchanges", table_of("exchanges", records))
        publish(tmp_path, partial(Manifest.with_segments, table="exchanges", added=written))
    return tmp_path


def read_all(folder: Path) -> int:
    return len(ask(folder, lambda store: store.execute("select * from exchanges").fetchall()))


def damaged_page(folder: Path) -> tuple[Segment, bytes]:
    """Of the column ``request`` in the first segment; the others can be read."""
    segment = read_manifest(folder).segments("exchanges")[0]
    content = bytearray((folder / segment.path).read_bytes())
    begin = (
        pq.read_metadata(folder / segment.path).row_group(0).column(EXCHANGES.names.index("request")).data_page_offset
    )
    content[begin + 100 : begin + 200] = bytes(100)
    (folder / segment.path).write_bytes(content)
    return segment, bytes(content)


def test_a_damaged_page_is_found_the_file_set_aside_and_the_rest_is_read(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    segment, content = damaged_page(folder)

    assert read_all(folder) == 500

    assert [path.read_bytes() for path in list_quarantine(folder)] == [content]
    assert segment.path in caplog.text
    assert len(read_manifest(folder).segments("exchanges")) == 1


@pytest.mark.parametrize("sql", ["selec 1", "select nothing from exchanges", "select 'x'::int", "select error('boom')"])
def test_a_question_that_cannot_be_answered_costs_no_file(folder: Path, sql: str) -> None:
    with pytest.raises(QueryFailed):
        ask(folder, lambda store: store.execute(sql).fetchall())

    assert len(read_manifest(folder).segments("exchanges")) == 2


@pytest.mark.parametrize(
    "sql",
    [
        "select error('boom')",
        "select 9223372036854775807 + id.length() from exchanges",
        "set memory_limit = '1MB'; select list(range) from range(1000000)",
        "select 'x'::int",
        "select id.length()::tinyint * 100::tinyint from exchanges",
    ],
)
def test_for_a_fault_of_the_question_no_file_is_looked_at(folder: Path, sql: str) -> None:
    damaged_page(folder)

    with pytest.raises(QueryFailed):
        ask(folder, lambda store: store.execute(sql).fetchall())

    assert list_quarantine(folder) == []


def test_what_lasts_until_its_files_are_merged_and_swept_is_asked_again(folder: Path) -> None:
    asked: list[int] = []

    def question(store: duckdb.DuckDBPyConnection) -> int:
        asked.append(1)
        if len(asked) == 1:
            assert compact_once(folder)
            assert sweep(folder, grace_s=0) == 2
        return len(store.execute("select * from exchanges").fetchall())

    assert ask(folder, question) == 1000
    assert len(asked) == 2
    assert list_quarantine(folder) == []


def test_a_file_damaged_beside_a_snapshot_that_grew_too_old_is_set_aside_too(folder: Path) -> None:
    asked: list[int] = []

    def question(store: duckdb.DuckDBPyConnection) -> int:
        asked.append(1)
        if len(asked) == 1:
            records = [Record(id=f"late {n}", time_us=NOON_US + DAY_US + n) for n in range(10)]
            written = seal(folder, "exchanges", table_of("exchanges", records))
            publish(folder, partial(Manifest.with_segments, table="exchanges", added=written))
            assert compact_once(folder)
            assert sweep(folder, grace_s=0) == 2
            merged = read_manifest(folder).segments("exchanges")[-1]
            content = bytearray((folder / merged.path).read_bytes())
            content[100 : len(content) // 2] = bytes(len(content) // 2 - 100)
            (folder / merged.path).write_bytes(content)
        return len(store.execute("select * from exchanges").fetchall())

    assert ask(folder, question) == 10
    assert len(list_quarantine(folder)) == 1


def test_a_question_that_is_interrupted_is_no_fault_of_the_store(folder: Path) -> None:
    def question(store: duckdb.DuckDBPyConnection) -> None:
        raise RuntimeError("Query interrupted")  # as DuckDB does upon Ctrl-C

    with pytest.raises(KeyboardInterrupt):
        ask(folder, question)


def test_the_engines_words_reach_the_person(folder: Path) -> None:
    with pytest.raises(QueryFailed, match=r'"nothing" not found(?s:.*)describe exchanges'):
        ask(folder, lambda store: store.execute("select nothing from exchanges").fetchall())
