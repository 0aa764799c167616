"""Values that import files tell in many ways: times, scores, labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from nightschool.store.imports.item import Unreadable

_TIMES = ("time", "timestamp", "created_at", "created", "start_time", "request_time")
_SCORES = ("reward", "score", "rating", "success")
_MOST_TAGS = 16
_LONGEST_TAG = 256
_PLAUSIBLE_US = (946_684_800_000_000, 4_102_444_800_000_000)
"""The years 2000 to 2100."""


def time_us(item: Mapping[str, Any]) -> int | None:
    """Microseconds since 1970 from whatever key and unit the file uses."""
    for name in _TIMES:
        if item.get(name) is not None:
            return _time(name, item[name])
    return None


def _time(name: str, value: Any) -> int:
    found = _from_number(value) if isinstance(value, int | float) else _from_text(value)
    if found is None or not _PLAUSIBLE_US[0] <= found < _PLAUSIBLE_US[1]:
        raise Unreadable(f"has {name} = {value!r}: neither ISO 8601 nor seconds since 1970")
    return found


def _from_number(value: float) -> int | None:
    """Seconds, or one of their thousandths; which of them is told by the size."""
    for scale in (1_000_000, 1_000, 1):
        if value * scale < _PLAUSIBLE_US[1]:
            return int(value * scale)
    return None


def _from_text(value: Any) -> int | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1e6)


def score(item: Mapping[str, Any]) -> float | None:
    """The reward of an episode."""
    for name in _SCORES:
        if isinstance(item.get(name), int | float):
            return float(item[name])
    return None


def tags(item: Mapping[str, Any], *, used: Collection[str]) -> dict[str, str]:
    """Short values that say what an item is (task, trial, user), from the keys that nothing else has used."""
    skip = {*used, *_TIMES, *_SCORES}
    labels = {
        name: str(value)
        for name, value in item.items()
        if name not in skip and isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_TAG
    }
    return dict(list(labels.items())[:_MOST_TAGS])
