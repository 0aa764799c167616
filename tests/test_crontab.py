"""A crontab line comes when cron(8) would run it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nightschool.crontab import read_crontab

SUNDAY = datetime(2026, 11, 29, tzinfo=UTC)


def next_days(line: str, count: int = 3) -> list[str]:
    """Weekday and date of the times from a Sunday on."""
    found, since = [], SUNDAY
    for _ in range(count):
        since = read_crontab(line).next_time(since, UTC) + timedelta(minutes=1)
        found.append(f"{since:%a %d.%m.}")
    return found


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("0 2 * * 0", ["Sun 29.11.", "Sun 06.12.", "Sun 13.12."]),
        ("0 2 * * 7", ["Sun 29.11.", "Sun 06.12.", "Sun 13.12."]),
        ("0 2 * * Sun", ["Sun 29.11.", "Sun 06.12.", "Sun 13.12."]),
        ("0 2 * * 1", ["Mon 30.11.", "Mon 07.12.", "Mon 14.12."]),
        ("0 2 * * 4-5", ["Thu 03.12.", "Fri 04.12.", "Thu 10.12."]),
        ("0 2 * * 6-7", ["Sun 29.11.", "Sat 05.12.", "Sun 06.12."]),
        ("0 2 * * sat-sun", ["Sun 29.11.", "Sat 05.12.", "Sun 06.12."]),
        ("0 2 * * mon,wed", ["Mon 30.11.", "Wed 02.12.", "Mon 07.12."]),
        ("0 2 * * 1-5/2", ["Mon 30.11.", "Wed 02.12.", "Fri 04.12."]),
        ("0 2 * * 3/3", ["Wed 02.12.", "Sat 05.12.", "Wed 09.12."]),
        ("0 2 1 * *", ["Tue 01.12.", "Fri 01.01.", "Mon 01.02."]),
        ("0 2 1 * 1", ["Mon 30.11.", "Tue 01.12.", "Mon 07.12."]),
        ("0 2 */2 * 1", ["Mon 07.12.", "Mon 21.12.", "Mon 11.01."]),
        ("0 2 29 feb *", ["Tue 29.02.", "Sun 29.02.", "Fri 29.02."]),
        ("0 2 31 2 mon", ["Mon 01.02.", "Mon 08.02.", "Mon 15.02."]),
    ],
)
def test_its_days_are_those_of_a_crontab(line: str, days: list[str]) -> None:
    assert next_days(line) == days


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("at night", "2 fields and not five"),
        ("0 2 31 2 *", "it never comes, since no month that it names has a day 31"),
        ("0 2 31 4,jun *", "it never comes, since no month that it names has a day 31"),
        ("60 2 * * *", "'60' is no minute: those are 0 to 59"),
        ("0 2 0 * *", "'0' is no day of the month: those are 1 to 31"),
        ("0 2 * * 8", "'8' is no weekday: those are 0 to 7, or sun to sat"),
        ("0 2 * mai *", "'mai' is no month: those are 1 to 12, or jan to dec"),
        ("0 2 * * tuesday", "'tuesday' is no weekday"),
        ("0 5-3 * * *", "'5-3' goes backwards; write two ranges with a comma between them"),
        ("*/0 2 * * *", "'*/0' has steps of 0"),
        ("0 2 1, * *", "'' is no day of the month"),
        ("*-5 2 * * *", "'*-5' is no minute"),
    ],
)
def test_what_no_crontab_has_is_refused_in_words(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        read_crontab(line)


class Element(NamedTuple):
    """Of a field: ``*``, a value, or a range, and its step."""

    any: bool
    first: int
    last: int
    step: int
    named: bool

    def text(self, names: str) -> str:
        values = [self.first] if self.first == self.last else [self.first, self.last]
        written = [names.split()[value] if self.named and names else str(value) for value in values]
        body = "*" if self.any else "-".join(written)
        return f"{body}/{self.step}" if self.step > 1 and (self.any or len(values) > 1) else body

    def has(self, value: int, lowest: int) -> bool:
        first, last = (lowest, value) if self.any else (self.first, self.last)
        return first <= value <= last and (value - first) % self.step == 0


class FieldOf(NamedTuple):
    elements: list[Element]
    lowest: int

    @property
    def restricted(self) -> bool:
        return not self.elements[0].any

    def has(self, *values: int) -> bool:
        return any(element.has(value, self.lowest) for element in self.elements for value in values)


def field(lowest: int, highest: int) -> st.SearchStrategy[FieldOf]:
    values = st.integers(lowest, highest)
    element = st.builds(
        lambda any, ends, step, named: Element(any, min(ends), max(ends), step, named),
        st.booleans(),
        st.tuples(values, values),
        st.integers(1, 9),
        st.booleans(),
    )
    return st.builds(FieldOf, st.lists(element, min_size=1, max_size=3), st.just(lowest))


MONTHS = "- jan feb mar apr may jun jul aug sep oct nov dec"
WEEKDAYS = "sun mon tue wed thu fri sat 7"
LINES = st.tuples(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
NAMES = ("", "", "", MONTHS, WEEKDAYS)


def comes_on(day: date, line: tuple[FieldOf, ...]) -> bool:
    """As crontab(5) says it of the last three fields."""
    _, _, days, months, weekdays = line
    of_month, of_week = days.has(day.day), weekdays.has(day.isoweekday() % 7, day.isoweekday())
    either = days.restricted and weekdays.restricted
    return months.has(day.month) and (of_month or of_week if either else of_month and of_week)


def first_time(line: tuple[FieldOf, ...], since: datetime) -> datetime | None:
    """Found by trying each minute of each day that it comes on."""
    minutes, hours = line[:2]
    of_day = [time(hour, minute, tzinfo=UTC) for hour in range(24) for minute in range(60)]
    comes_at = [at for at in of_day if hours.has(at.hour) and minutes.has(at.minute)]
    days = (since.date() + timedelta(days=number) for number in range(366 * 9))
    found = (datetime.combine(day, at) for day in days if comes_on(day, line) for at in comes_at)
    return next((moment for moment in found if moment >= since), None)


@given(LINES, st.datetimes(datetime(2020, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC)))
@settings(deadline=None)
def test_any_line_comes_when_its_fields_say_so(line: tuple[FieldOf, ...], since: datetime) -> None:
    text = " ".join(
        ",".join(element.text(names) for element in field.elements) for field, names in zip(line, NAMES, strict=True)
    )
    expected = first_time(line, since)
    assume(expected is not None)

    assert read_crontab(text).next_time(since, UTC) == expected
