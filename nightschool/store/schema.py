"""Columns of the tables, and rows turned into them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa

from nightschool.record import Feedback, Label, Record, Verdict
from nightschool.store.manifest import TableName

Row = Record | Feedback | Label | Verdict

TIME = pa.timestamp("us", tz="UTC")
_TEXT, _COUNT, _MEASURE = pa.string(), pa.int32(), pa.float32()


def _schema(columns: Mapping[str, pa.DataType], *, required: Collection[str]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=name not in required) for name, kind in columns.items()])


EXCHANGES = _schema(
    {
        "id": _TEXT,
        "time": TIME,
        "workload": _TEXT,
        "fingerprint": _TEXT,
        "conversation": _TEXT,
        "target": _TEXT,
        "adapter": _TEXT,
        "reason": _TEXT,
        "propensity": _MEASURE,
        "endpoint": _TEXT,
        "method": _TEXT,
        "stream": pa.bool_(),
        "complete": pa.bool_(),
        "model_requested": _TEXT,
        "model_served": _TEXT,
        "upstream": _TEXT,
        "status": pa.int16(),
        "error_type": _TEXT,
        "request": _TEXT,
        "response": _TEXT,
        "logprobs": _TEXT,
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "cached_tokens": _COUNT,
        "reasoning_tokens": _COUNT,
        "cost_usd": pa.float64(),
        "latency_ms": _MEASURE,
        "first_token_ms": _MEASURE,
        "overhead_ms": _MEASURE,
        "finish_reason": _TEXT,
        "system_fingerprint": _TEXT,
        "upstream_request_id": _TEXT,
        "tags": pa.map_(_TEXT, _TEXT),
        "client": _TEXT,
        "failed_adapter": _TEXT,
    },
    required={"id", "time", "target", "reason", "propensity", "endpoint", "method", "stream", "complete", "tags"},
)
FEEDBACK = _schema(
    {"exchange_id": _TEXT, "time": TIME, "score": pa.float64(), "comment": _TEXT, "user": _TEXT},
    required={"exchange_id", "time"},
)
LABELS = _schema(
    {"exchange_id": _TEXT, "time": TIME, "message": _TEXT, "author": _TEXT, "source": _TEXT},
    required={"exchange_id", "time", "message"},
)
SPLITS = _schema({"key": pa.int64(), "time": TIME, "side": _TEXT}, required={"key", "time", "side"})
VERDICTS = _schema(
    {
        "exchange_id": _TEXT,
        "time": TIME,
        "key": _TEXT,
        "workload": _TEXT,
        "model": _TEXT,
        "better": _TEXT,
        "reason": _TEXT,
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "cost_usd": pa.float64(),
    },
    required={"exchange_id", "time", "key"},
)
SCHEMAS: dict[TableName, pa.Schema] = {
    "exchanges": EXCHANGES,
    "feedback": FEEDBACK,
    "labels": LABELS,
    "splits": SPLITS,
    "verdicts": VERDICTS,
}
KEYS: dict[TableName, str] = {
    "exchanges": "id",
    "feedback": "exchange_id",
    "labels": "exchange_id",
    "splits": "key",
    "verdicts": "exchange_id",
}
"""The column that says what a row is about: an exchange; in ``splits`` the hash of an input or a conversation."""
_ADDED: dict[TableName, dict[str, int]] = {"exchanges": {"failed_adapter": 2}}
"""The schema version that brought a column. New columns are the last ones, and may be null."""
ABOUT_EXCHANGES: tuple[TableName, ...] = ("exchanges", "feedback", "labels", "verdicts")
"""Tables whose rows go when the exchange is erased; ``splits`` holds no text."""


def missing_in(name: TableName, schema_version: int) -> list[str]:
    """Columns that segments of this version lack, in their order: of their rows they are null."""
    return [column for column, since in _ADDED.get(name, {}).items() if since > schema_version]


def table_of(name: TableName, rows: Sequence[Row]) -> pa.Table:
    """The rows as columns, in the order given.

    What an upstream sends may not fit its column (a count of 10^12 tokens): such a value becomes null, or loses the
    characters that cannot be stored. Losing it is better than losing the row, and stopping at it would stop all
    recording.
    """
    schema = SCHEMAS[name]
    columns = [_column([*map(_getter(field.name), rows)], field) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _getter(column: str) -> attrgetter[Any]:
    return attrgetter("time_us" if column == "time" else column)


def _column(values: list[Any], field: pa.Field[Any]) -> pa.Array[Any]:
    if pa.types.is_map(field.type):
        values = [list(value.items()) for value in values]
    try:
        column: pa.Array[Any] = pa.array(values, type=field.type)
    except MemoryError:  # Arrow's own is an ArrowException too, and says nothing of the values
        raise
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        column = pa.array([_storable(value, field) for value in values], type=field.type)
    return column


def _storable(value: Any, field: pa.Field[Any]) -> Any:
    try:
        pa.array([value], type=field.type)
    except UnicodeEncodeError:
        return _without_surrogates(value)
    except MemoryError:
        raise
    except (pa.ArrowException, OverflowError):
        return None
    return value


def _without_surrogates(value: Any) -> Any:
    """Half a character (JSON can escape one, UTF-8 cannot hold it) becomes a question mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return [(_without_surrogates(key), _without_surrogates(text)) for key, text in value]
