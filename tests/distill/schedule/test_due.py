"""A night begins once for each time of its crontab line, whatever the clock does and whoever was away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from distill.night.standing import only_night
from distill.schedule.due import read_served, write_served
from distill.schedule.nights import Nights

AT_TWO = {"w": "0 2 * * *"}
DAY = datetime(2026, 11, 25, tzinfo=UTC).astimezone()
MIDNIGHT = DAY.replace(hour=0)


def nights(data: Path, served: datetime = MIDNIGHT) -> Nights:
    write_served(data, {"w": served})
    return Nights(data)


def test_a_new_workload_waits_for_its_first_time(tmp_path: Path) -> None:
    found = Nights(tmp_path)

    assert found.to_begin(AT_TWO, MIDNIGHT.replace(hour=3)) == []
    assert read_served(tmp_path) == {"w": MIDNIGHT.replace(hour=3)}
    assert found.to_begin(AT_TWO, MIDNIGHT + timedelta(days=1, hours=2)) == ["w"]


def test_it_begins_when_its_time_has_come_and_not_again(tmp_path: Path) -> None:
    found, began = nights(tmp_path), []
    for time in [MIDNIGHT + timedelta(minutes=30 * number) for number in range(48)]:
        for workload in found.to_begin(AT_TWO, time):
            began.append(time)
            found.ended(workload)

    assert began == [MIDNIGHT.replace(hour=2)]


def test_weekdays_are_those_of_a_crontab(tmp_path: Path) -> None:
    sundays = {"w": "0 2 * * 0"}
    found = nights(tmp_path)  # on a Wednesday

    assert found.to_begin(sundays, two_of(3)) == []
    assert found.to_begin(sundays, two_of(4)) == ["w"]


def test_one_that_waits_or_runs_is_not_begun_again_and_a_time_that_comes_meanwhile_counts_after_it(
    tmp_path: Path,
) -> None:
    found = nights(tmp_path)
    assert found.to_begin(AT_TWO, MIDNIGHT.replace(hour=2)) == ["w"]
    tomorrow = MIDNIGHT + timedelta(days=1, hours=3)
    assert found.to_begin(AT_TWO, tomorrow) == []

    found.ended("w")

    assert found.to_begin(AT_TWO, tomorrow) == ["w"]
    found.ended("w")
    assert found.to_begin(AT_TWO, tomorrow) == []


def test_one_that_did_not_come_to_its_end_is_due_again_after_a_restart(tmp_path: Path) -> None:
    assert nights(tmp_path).to_begin(AT_TWO, MIDNIGHT.replace(hour=2)) == ["w"]

    again = Nights(tmp_path)
    assert again.to_begin(AT_TWO, MIDNIGHT.replace(hour=3)) == ["w"]
    again.ended("w")

    assert Nights(tmp_path).to_begin(AT_TWO, MIDNIGHT.replace(hour=4)) == []


def test_one_that_somebody_runs_by_hand_is_waited_for(tmp_path: Path) -> None:
    found = nights(tmp_path)
    with only_night(tmp_path, "w") as night:
        night.enter("train")
        assert Nights(tmp_path).to_begin({}, MIDNIGHT) == []
        assert found.to_begin(AT_TWO, MIDNIGHT.replace(hour=2)) == []

    assert found.to_begin(AT_TWO, MIDNIGHT.replace(hour=2)) == ["w"]


def test_one_that_ran_at_the_start_and_came_to_its_end_is_not_gone_on_with(tmp_path: Path) -> None:
    with only_night(tmp_path, "w") as night:
        night.enter("train")
        found = Nights(tmp_path)

    assert found.to_begin({}, MIDNIGHT) == []


def test_a_workload_may_be_called_as_a_file_of_ours(tmp_path: Path) -> None:
    found = Nights(tmp_path)
    found.to_begin({"served": "0 2 * * *"}, MIDNIGHT)
    with only_night(tmp_path, "served") as night:
        night.enter("train")
        assert Nights(tmp_path).to_begin({"served": "0 2 * * *"}, MIDNIGHT) == []

    assert read_served(tmp_path) == {"served": MIDNIGHT}


def test_several_that_were_missed_count_once(tmp_path: Path) -> None:
    found = nights(tmp_path)

    assert found.to_begin(AT_TWO, MIDNIGHT + timedelta(days=5, hours=1)) == ["w"]
    found.ended("w")
    assert found.to_begin(AT_TWO, MIDNIGHT + timedelta(days=5, hours=1, minutes=1)) == []


def test_a_workload_that_is_gone_is_forgotten_even_while_its_night_runs(tmp_path: Path) -> None:
    found = nights(tmp_path)
    assert found.to_begin(AT_TWO, MIDNIGHT.replace(hour=2)) == ["w"]
    assert found.to_begin({}, MIDNIGHT + timedelta(days=2)) == []
    found.ended("w")

    assert read_served(tmp_path) == {}


@given(st.lists(st.integers(-48 * 60, 48 * 60), max_size=60))
@settings(max_examples=30, deadline=None)
def test_a_clock_that_jumps_begins_no_night_twice_and_loses_none(steps: list[int]) -> None:
    with TemporaryDirectory() as folder:
        found, now, highest, began = nights(Path(folder)), MIDNIGHT, MIDNIGHT, []
        for minutes in steps:
            now = max(now + timedelta(minutes=minutes), highest - timedelta(days=6))  # a week would be another clock
            if found.to_begin(AT_TWO, now):
                began.append(now)
                found.ended("w")
            highest = max(highest, now)

    twos = [time for day in range(130) if MIDNIGHT < (time := two_of(day)) <= highest]
    assert all(any(first < two <= second for two in twos) for first, second in pairwise([MIDNIGHT, *began]))
    assert not twos or twos[-1] <= began[-1]


def test_a_clock_that_was_wrong_by_years_stops_no_night_for_years(tmp_path: Path) -> None:
    found = nights(tmp_path, served=MIDNIGHT + timedelta(days=3650))

    assert found.to_begin(AT_TWO, MIDNIGHT) == []
    assert found.to_begin(AT_TWO, MIDNIGHT.replace(hour=2)) == ["w"]


def two_of(day: int) -> datetime:
    return (datetime(2026, 11, 25) + timedelta(days=day)).replace(hour=2).astimezone()


def test_what_was_served_survives_a_restart_and_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    write_served(tmp_path, {"w": MIDNIGHT})
    assert read_served(tmp_path) == {"w": MIDNIGHT}

    (tmp_path / "registry" / "served.json").write_text('{"w": 1')
    assert read_served(tmp_path) == {}
