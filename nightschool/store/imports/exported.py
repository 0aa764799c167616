"""Rows as ``nightschool logs export`` writes them: one JSON object a line, one key a column, nothing lost.

``request``, ``response`` and ``logprobs`` are objects where they hold one, else text; ``time`` is ISO 8601.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from nightschool.record import Record
from nightschool.store.imports.item import Item, Unreadable
from nightschool.store.log import YEARS_US

_DOCUMENTS = ("request", "response", "logprobs")
_TELLING = {"id", "time", "request", "response", "endpoint", "target"}
_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def is_exported(item: Mapping[str, Any]) -> bool:
    return item.keys() >= _TELLING


def line_of(row: Mapping[str, Any]) -> bytes:
    """A row of the view ``exchanges`` as one line, without its end."""
    time: datetime = row["time"]
    documents = {name: _document(row[name]) for name in _DOCUMENTS}
    return msgspec.json.encode({**row, **documents, "time": time.astimezone(UTC)})


def row_of(item: Item) -> Record:
    """The record of such a line."""
    raw = _decode_fields(item.text)
    documents = {name: _text(raw.get(name), item.value.get(name)) for name in _DOCUMENTS}
    try:
        time_us = round(datetime.fromisoformat(item.value["time"]).timestamp() * 1e6)
        record = msgspec.convert({**item.value, **documents, "time_us": time_us}, Record)
    except (TypeError, ValueError) as error:
        raise Unreadable(f"is no exported exchange: {error}") from error
    if time_us not in YEARS_US:
        raise Unreadable(f"is no exported exchange: its time is {item.value['time']}")
    return record


def _text(raw: msgspec.Raw | None, value: Any) -> Any:
    """The very text that was exported, spelling of numbers included."""
    return bytes(raw).decode() if raw is not None and isinstance(value, dict | list) else value


def _document(text: str | None) -> msgspec.Raw | str | None:
    """JSON as it is, on one line."""
    if text is None or not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return _decode_raw(msgspec.json.format(text, indent=-1) if "\n" in text or "\r" in text else text)
    except (msgspec.DecodeError, RecursionError):
        return text
