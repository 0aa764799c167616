"""`nightschool sql`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Command
from tests.cli.stores import IDS, recorded


@pytest.fixture
def data(nightschool: Command, tmp_path: Path) -> Path:
    return recorded(tmp_path)


def test_an_answer_is_a_table(nightschool: Command, data: Path) -> None:
    code, out, err = nightschool("sql", "select status, count(*) as n from exchanges group by all order by all")

    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [["status", "n"], ["200", "3"], ["429", "1"]]


def test_json_is_an_array_of_objects_one_per_row(nightschool: Command, data: Path) -> None:
    query = f"""select id, time, tags, null as nothing, 0.1::decimal(3,1) as d, 'nan'::double as x,
                170141183460469231731687303715884105727::hugeint as big, [1, 2] as list, 'a'::blob as raw
                from exchanges where id = '{IDS[1]}'"""

    assert json.loads(nightschool("sql", query, "--json").out) == [
        {
            "id": IDS[1],
            "time": "2026-03-10T13:00:00+00:00",
            "tags": {"feature": "inbox"},
            "nothing": None,
            "d": 0.1,
            "x": None,
            "big": 170141183460469231731687303715884105727,
            "list": [1, 2],
            "raw": "61",
        }
    ]


def test_no_rows_are_an_empty_array(nightschool: Command, data: Path) -> None:
    assert json.loads(nightschool("sql", "select 1 where false", "--json").out) == []


def test_two_columns_of_one_name_are_both_there(nightschool: Command, data: Path) -> None:
    assert json.loads(nightschool("sql", "select 1 as a, 2 as a", "--json").out) == [{"a": 1, "a_2": 2}]


def test_csv_has_a_header_and_quotes_what_must_be(nightschool: Command, data: Path) -> None:
    out = nightschool("sql", "select 'a,b' as x, null as y, true as z, map {'k': 1} as m", "--csv").out

    assert out == 'x,y,z,m\n"a,b",,True,"{""k"": 1}"\n'


def test_too_many_columns_for_the_terminal_stand_below_one_another(
    nightschool: Command, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    out = nightschool("sql", "select * from exchanges limit 2").out

    assert out.count("row ") == 2
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_long_answer_is_cut_for_people_and_whole_for_scripts(nightschool: Command, data: Path) -> None:
    shown = nightschool("sql", "select range as n from range(2000)")
    whole = nightschool("sql", "select range as n from range(2000)", "--csv")

    assert "the first 500 rows" in shown.err
    assert len(whole.out.splitlines()) == 2001


def test_a_statement_without_an_answer_is_done(nightschool: Command, data: Path) -> None:
    assert nightschool("sql", "set threads = 1").code == 0


@pytest.mark.parametrize(("query", "fault"), [("selec 1", "Parser Error"), ("select error('boom')", "boom")])
def test_an_error_of_the_engine_is_a_clean_message(nightschool: Command, data: Path, query: str, fault: str) -> None:
    code, out, err = nightschool("sql", query)

    assert (code, out) == (1, "")
    assert fault in err
    assert "Traceback" not in err


@pytest.mark.parametrize("query", ["", " ", ";", "/* nothing */"])
def test_a_query_that_asks_nothing_is_a_clean_message(nightschool: Command, data: Path, query: str) -> None:
    code, out, err = nightschool("sql", query)

    assert (code, out) == (1, "")
    assert err.startswith(f"nightschool: {query!r} asks nothing\n  try: ")


def test_json_and_csv_at_once_are_a_usage_error(nightschool: Command, data: Path) -> None:
    assert nightschool("sql", "select 1", "--json", "--csv").code == 2
