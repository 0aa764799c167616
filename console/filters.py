"""The filter of a page's address, and back: what the form says is what a link to the next exchange carries along."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from nightschool.store.filter import Filter, parse_status, parse_time
from nightschool.store.reader import Window

FIELDS = ("workload", "target", "status", "tag", "since", "until", "text", "conversation")
_TARGETS = ("teacher", "student")


class Asked(NamedTuple):
    """What the address asks for."""

    given: dict[str, str]
    """By field, without those that are empty."""
    filters: Filter
    faults: list[str]
    """A sentence for each value that cannot be meant; it is left out of the filter."""

    def value(self, name: str) -> str:
        """What a field of the form holds."""
        return self.given.get(name, "")

    @property
    def query(self) -> str:
        """For links; empty, or beginning with ``?``."""
        return f"?{urlencode(self.given)}" if self.given else ""

    def with_(self, **more: str) -> str:
        """The same with more fields."""
        return f"?{urlencode({**self.given, **more})}"


def asked(query: Mapping[str, str]) -> Asked:
    given = {name: query[name].strip() for name in FIELDS if query.get(name, "").strip()}
    faults: list[str] = []
    now = datetime.now(UTC)

    def time_us(name: str) -> int | None:
        try:
            return parse_time(given[name], now) if name in given else None
        except (ValueError, OverflowError) as error:
            faults.append(f"{name}: {error}")
            return None

    status = given.get("status")
    if status is not None:
        try:
            parse_status(status)
        except ValueError as error:
            faults.append(f"status: {error}")
            status = None
    target = given.get("target")
    if target is not None and target not in _TARGETS:
        faults.append(f"target: {target!r} is none of {', '.join(_TARGETS)}")
        target = None
    filters = Filter(
        workload=given.get("workload"),
        target=target,
        status=status,
        tags=_tags(given, faults),
        window=Window(time_us("since"), time_us("until")),
        text=given.get("text"),
        conversation=given.get("conversation"),
    )
    return Asked(given, filters, faults)


def _tags(given: Mapping[str, str], faults: list[str]) -> dict[str, str]:
    """``key=value``, several with commas between them."""
    tags = {}
    for part in given.get("tag", "").split(","):
        name, equals, value = part.strip().partition("=")
        if name and equals:
            tags[name] = value
        elif part.strip():
            faults.append(f"tag: {part.strip()!r} is not key=value")
    return tags
