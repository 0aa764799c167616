"""A crontab's five fields -> when they come, as crontab(5) has it.

    "0 2 1 * mon" -> minutes {0}, hours {2}, days {1}, months 1 to 12, weekdays {1} -> the next time

0 and 7 are Sunday. Where day of month and weekday are both restricted, a day that is one of the two is enough; a field
that begins with ``*`` restricts nothing, even with a step.
"""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import NamedTuple

_ELEMENT = re.compile(r"(\*|\w{1,3})(?:-(\w{1,3}))?(?:/([0-9]{1,3}))?", re.ASCII)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class _Field(NamedTuple):
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()
    """Of the values from ``first`` on."""


_MINUTE, _HOUR, _DAY = _Field("minute", 0, 59), _Field("hour", 0, 23), _Field("day of the month", 1, 31)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("weekday", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))


class Crontab(NamedTuple):
    """A line that was read; every set has a value, and together they come again and again."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Whether a day of ``days`` need not be one of ``weekdays`` too, and the other way round."""

    def next_time(self, since: datetime, zone: tzinfo | None = None) -> datetime:
        """The first one, not before ``since``, by the clock of ``zone``: left out, of this machine."""
        from apscheduler.triggers.cron import CronTrigger  # it takes a while to import, and checking a line needs none

        # APScheduler's weeks begin on Monday.
        days, weekdays = _listed(_DAY, self.days), _listed(_WEEKDAY, {(day - 1) % 7 for day in self.weekdays})
        triggers = [
            CronTrigger(
                minute=_listed(_MINUTE, self.minutes),
                hour=_listed(_HOUR, self.hours),
                day=day,
                month=_listed(_MONTH, self.months),
                day_of_week=weekday,
                timezone=zone,
            )
            for day, weekday in ([(days, "*"), ("*", weekdays)] if self.either else [(days, weekdays)])
        ]
        times: list[datetime | None] = [trigger.get_next_fire_time(None, since) for trigger in triggers]
        return min(time for time in times if time is not None)


def read_crontab(line: str) -> Crontab:
    """Raises ValueError, with what is wrong in words."""
    fields = line.split()
    if len(fields) != 5:
        raise ValueError(f"{len(fields)} fields and not five")
    minutes, hours, days, months, weekdays = map(_values, (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY), fields)
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    if not either and min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        raise ValueError(f"it never comes, since no month that it names has a day {min(days)}")
    return Crontab(minutes, hours, days, months, weekdays, either)


def _values(field: _Field, text: str) -> frozenset[int]:
    return frozenset(value for element in text.split(",") for value in _range(field, element))


def _range(field: _Field, element: str) -> set[int]:
    found = _ELEMENT.fullmatch(element)
    if found is None or (found[1] == "*" and found[2]):
        raise ValueError(f"{element!r} is no {field.name}")
    begin, end, step = found.groups()
    first = field.first if begin == "*" else _value(field, begin)
    open_end = field.last if begin == "*" or step else first
    last = _value(field, end) if end else open_end
    if field is _WEEKDAY and last == 0 and first > 0:
        last = 7  # a week that ends on Sunday
    if last < first:
        raise ValueError(f"{element!r} goes backwards; write two ranges with a comma between them")
    if step and int(step) == 0:
        raise ValueError(f"{element!r} has steps of 0")
    values = range(first, last + 1, int(step or 1))
    return {value % 7 for value in values} if field is _WEEKDAY else set(values)


def _value(field: _Field, text: str) -> int:
    """Of a number or a name; 7 is as good a Sunday as 0."""
    if text.lower() in field.names:
        return field.first + field.names.index(text.lower())
    last = 7 if field is _WEEKDAY else field.last
    if not text.isdecimal() or not field.first <= int(text) <= last:
        names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise ValueError(f"{text!r} is no {field.name}: those are {field.first} to {last}{names}")
    return int(text)


def _listed(field: _Field, values: frozenset[int] | set[int]) -> str:
    """As APScheduler takes it, which is slow with long lists."""
    return "*" if len(values) > field.last - field.first else ",".join(map(str, sorted(values)))
