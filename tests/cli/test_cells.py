"""Values as text and as JSON."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from cli.cells import dollars, duration, harmless, plain, size, text, tokens

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**100, 2**100),
        (float("inf"), None),
        (Decimal("1.50"), 1.5),
        (Decimal("3"), 3),
        (NOON.astimezone(timezone(timedelta(hours=2))), "2026-03-10T12:00:00+00:00"),
        (date(2026, 3, 10), "2026-03-10"),
        (b"\x01\xff", "01ff"),
        ({"a": [1, (2, None)]}, {"a": [1, [2, None]]}),
        ({1: NOON}, {"1": "2026-03-10T12:00:00+00:00"}),
    ],
)
def test_a_value_becomes_what_json_can_hold(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (False, "false"),
        (0.123456789, "0.123457"),
        (NOON, "2026-03-10 12:00:00"),
        ({"a": 1, "b": None}, "a=1, b="),
        ("two\n lines", "two lines"),
    ],
)
def test_a_value_becomes_one_line(value: Any, expected: str) -> None:
    assert text(value) == expected


def test_what_is_not_known_is_not_shown_as_zero() -> None:
    assert (tokens(None, None), tokens(0, None), tokens(3, 0)) == ("", "0 → ?", "3 → 0")
    assert (dollars(None), dollars(0.0), dollars(0.00012), dollars(12.5)) == ("", "$0.0000", "$0.0001", "$12.50")
    assert (duration(None), duration(12.4), duration(61_000)) == ("", "12 ms", "61.0 s")


def test_recorded_text_cannot_steer_the_terminal() -> None:
    assert harmless("a\x1b[2Jb\x07\x9b1m\u202e\r\n\tc") == "a�[2Jb��1m��\n\tc"


def test_sizes_have_units() -> None:
    assert [size(n) for n in (0, 1023, 1536, 5 << 20, 3 << 40)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "5.0 MiB",
        "3.0 TiB",
    ]
