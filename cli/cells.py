"""Values of the store as text in a table, and as JSON."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

_STEERING = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(32), *range(127, 160), *range(0x202A, 0x202F))
    if chr(code) not in "\n\t"
}


def plain(value: Any) -> Any:
    """The value as JSON can hold it: times in ISO 8601, what is not a number as null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return _utc(value).isoformat()
        case bytes():
            return value.hex()
        case dict():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return str(value)


def text(value: Any) -> str:
    """One line for a cell."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
        case datetime():
            return moment(value)
        case dict():
            return ", ".join(f"{key}={text(item)}" for key, item in value.items())
        case _:
            return " ".join(str(value).split())


def harmless(text: str) -> str:
    """Recorded text for a terminal: what would steer it (escape sequences, above all) is shown, not obeyed."""
    return text.translate(_STEERING)


def moment(time: datetime) -> str:
    return f"{_utc(time):%Y-%m-%d %H:%M:%S}"


def duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def tokens(prompt: int | None, completion: int | None) -> str:
    """In and out; a question mark for what is not known."""
    if prompt is None and completion is None:
        return ""
    return " → ".join("?" if count is None else str(count) for count in (prompt, completion))


def dollars(cost: float | None) -> str:
    return "" if cost is None else f"${cost:.4f}" if cost < 1 else f"${cost:.2f}"


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time
