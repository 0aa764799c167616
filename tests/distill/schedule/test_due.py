"""A night begins once for each time of its crontab line, whatever the clock does and whoever was away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from distill.schedule.due import read_served, serve_due, write_served

AT_TWO = {"w": "0 2 * * *"}
DAY = datetime(2026, 11, 25, tzinfo=UTC).astimezone()
MIDNIGHT = DAY.replace(hour=0)


def test_a_new_workload_waits_for_its_first_time() -> None:
    begun, served = serve_due(AT_TWO, {}, MIDNIGHT.replace(hour=3))

    assert (begun, served) == ([], {"w": MIDNIGHT.replace(hour=3)})


def test_it_begins_when_its_time_has_come_and_not_again() -> None:
    served = {"w": MIDNIGHT}
    times = [MIDNIGHT + timedelta(minutes=30 * number) for number in range(48)]
    began = []
    for time in times:
        begun, served = serve_due(AT_TWO, served, time)
        began += [time] if begun else []

    assert began == [MIDNIGHT.replace(hour=2)]


def test_several_that_were_missed_count_once() -> None:
    begun, served = serve_due(AT_TWO, {"w": MIDNIGHT}, MIDNIGHT + timedelta(days=5, hours=1))

    assert begun == ["w"]
    assert serve_due(AT_TWO, served, MIDNIGHT + timedelta(days=5, hours=1, minutes=1))[0] == []


def test_a_workload_that_is_gone_is_forgotten() -> None:
    assert serve_due({}, {"w": MIDNIGHT}, MIDNIGHT + timedelta(days=2)) == ([], {})


@given(st.lists(st.integers(-48 * 60, 48 * 60), max_size=60))
def test_a_clock_that_jumps_begins_no_night_twice_and_loses_none(steps: list[int]) -> None:
    now, served, begun_for = MIDNIGHT, {"w": MIDNIGHT}, []
    highest = now
    for minutes in steps:
        now += timedelta(minutes=minutes)
        before = served["w"]
        begun, served = serve_due(AT_TWO, served, now)
        if begun:
            begun_for.append((before, now))
        highest = max(highest, now)

    assert all(first[1] <= second[0] for first, second in pairwise(begun_for))
    twos = [time for day in range(0, 130) if MIDNIGHT < (time := two_of(day)) <= highest]
    assert (len(begun_for) > 0) == (len(twos) > 0)


def two_of(day: int) -> datetime:
    return (datetime(2026, 11, 25) + timedelta(days=day)).replace(hour=2).astimezone()


def test_what_was_served_survives_a_restart_and_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    write_served(tmp_path, {"w": MIDNIGHT})
    assert read_served(tmp_path) == {"w": MIDNIGHT}

    (tmp_path / "nights" / "served.json").write_text('{"w": 1')
    assert read_served(tmp_path) == {}
