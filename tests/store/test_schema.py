"""Rows -> columns."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightschool.record import Feedback, Record
from nightschool.store.schema import EXCHANGES, FEEDBACK, table_of

MINIMAL = Record(id="a", time_us=1)


def test_the_columns_are_the_fields_of_the_record_in_their_order() -> None:
    assert [name.replace("time_us", "time") for name in Record.__struct_fields__] == EXCHANGES.names
    assert [name.replace("time_us", "time") for name in Feedback.__struct_fields__] == FEEDBACK.names


def test_a_record_comes_back_as_it_was() -> None:
    record = Record(id="a", time_us=5, status=200, tags={"k": "v"}, prompt_tokens=0, request='{"a":1}', cost_usd=0.1)

    (row,) = table_of("exchanges", [record]).to_pylist()

    assert (row["id"], row["time"].timestamp(), row["status"]) == ("a", 5e-6, 200)
    assert (row["tags"], row["prompt_tokens"], row["completion_tokens"]) == ([("k", "v")], 0, None)
    assert (row["request"], row["cost_usd"]) == ('{"a":1}', 0.1)


def test_no_rows_make_an_empty_table_of_the_same_columns() -> None:
    assert table_of("feedback", []).schema == FEEDBACK


@pytest.mark.parametrize(
    ("field", "value"), [("prompt_tokens", 10**12), ("status", 70_000), ("cached_tokens", -(2**40))]
)
def test_a_number_that_no_column_can_hold_becomes_null_and_the_row_stays(field: str, value: int) -> None:
    records = [Record(id="a", time_us=1, **{field: value}), Record(id="b", time_us=2, **{field: 7})]  # type: ignore[arg-type]

    assert table_of("exchanges", records).column(field).to_pylist() == [None, 7]


def test_half_a_character_becomes_a_question_mark() -> None:
    record = Record(id="a", time_us=1, model_requested="m\ud800", tags={"k\udfff": "v\ud800"})

    (row,) = table_of("exchanges", [record]).to_pylist()

    assert (row["model_requested"], row["tags"]) == ("m?", [("k?", "v?")])


@given(
    st.builds(
        Record,
        id=st.text(min_size=1),
        time_us=st.integers(0, 2**50),
        tags=st.dictionaries(st.text(st.characters()), st.text(st.characters()), max_size=3),
        model_served=st.none() | st.text(st.characters(exclude_categories=())),
        prompt_tokens=st.none() | st.integers(),
        latency_ms=st.none() | st.floats(),
    )
)
def test_every_record_can_be_stored(record: Record) -> None:
    table = table_of("exchanges", [record, MINIMAL])

    assert table.num_rows == 2
    assert isinstance(table, pa.Table)
