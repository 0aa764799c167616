"""Filters of ``logs list`` and ``logs export`` -> SQL conditions with their values, and the span of time they touch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nightschool.store.reader import Window

NO_WORKLOAD = "-"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True)
class Filter:
    """Which exchanges; everything given must hold."""

    workload: str | None = None
    """Its name; ``-`` for what no rule named."""
    target: str | None = None
    """``teacher`` or ``student``."""
    conversation: str | None = None
    text: str | None = None
    """That stands in the request or the answer, in any case."""
    model: str | None = None
    """As requested or as served; may be a pattern with ``*``."""
    status: str | None = None
    """``429``, ``5xx``, or ``error``: anything but a complete answer with a status below 400."""
    tags: Mapping[str, str] = field(default_factory=dict)
    window: Window = field(default_factory=Window)
    where: str | None = None
    """SQL over the columns of ``exchanges``."""

    def condition(self) -> tuple[str, list[Any]]:
        """SQL for ``where``, and the values of its question marks."""
        parts = list(self._parts())
        values = [value for _, some in parts for value in some]
        return " and ".join(sql for sql, _ in parts) or "true", values

    def _parts(self) -> Iterator[tuple[str, list[Any]]]:
        for sign, time_us in ((">=", self.window.since_us), ("<", self.window.until_us)):
            if time_us is not None:
                yield f"time {sign} ?", [moment(time_us)]
        yield from self._columns()
        if self.model is not None:
            yield "(model_requested glob ? or model_served glob ?)", [self.model, self.model]
        if self.status is not None:
            yield _status(self.status)
        for name, value in self.tags.items():
            yield "tags[?] = ?", [name, value]
        if self.where is not None:
            yield f"({self.where}\n)", []
        if self.text is not None:  # last: it reads bodies, where everything else reads columns
            yield _text(self.text)

    def _columns(self) -> Iterator[tuple[str, list[Any]]]:
        if self.workload == NO_WORKLOAD:
            yield "workload is null", []
        named = self.workload if self.workload != NO_WORKLOAD else None
        for name, value in (("workload", named), ("target", self.target), ("conversation", self.conversation)):
            if value is not None:
                yield f"{name} = ?", [value]


def _text(text: str) -> tuple[str, list[Any]]:
    patterns = [f"%{_literal(spelling)}%" for spelling in _spellings(text)]
    either = "request ilike ? escape '\\' or response ilike ? escape '\\'"
    return f"({' or '.join([either] * len(patterns))})", [pattern for pattern in patterns for _ in range(2)]


def _spellings(text: str) -> list[str]:
    """As it may stand in a body: plain, or inside of JSON, whose writers escape quotes, and some all but ASCII."""
    return list(dict.fromkeys((text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])))


def _literal(text: str) -> str:
    """As a pattern that stands for itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def parse_status(text: str) -> str:
    """Check a status filter; raises ValueError with a sentence."""
    if not re.fullmatch(r"[1-5]\d\d|[1-5]xx|error", text):
        raise ValueError(f"{text!r} is no status: give a number such as 429, a class such as 5xx, or `error`")
    return text


def parse_time(text: str, now: datetime) -> int:
    """Microseconds of ``7d`` ago (s, m, h, d, w), or of an ISO 8601 time, UTC unless it says otherwise."""
    if ago := re.fullmatch(r"(\d+)([smhdw])", text):
        try:
            return microseconds(now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]]))
        except (OverflowError, ValueError):
            raise ValueError(f"{text[:40]!r} is longer ago than a calendar reaches") from None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: give a span such as 30m or 7d, or a date such as 2026-11-22") from None
    return microseconds(given if given.tzinfo else given.replace(tzinfo=UTC))


def moment(time_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)


def microseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _status(status: str) -> tuple[str, list[Any]]:
    if status == "error":
        return "(not complete or error_type is not null or coalesce(status, 500) >= 400)", []
    if status.endswith("xx"):
        return "status // 100 = ?", [int(status[0])]
    return "status = ?", [int(status)]
