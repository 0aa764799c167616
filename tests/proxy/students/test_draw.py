"""Conversations stay where they are: a share that grows takes, and never gives back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.students.draw import draw, place_of

PLACES = st.floats(0, 100, exclude_max=True)
SHARES = st.one_of(st.sampled_from([0.0, 3.0, 5.0, 25.0, 97.0, 100.0]), st.floats(0, 100))
STUDENTS = ("canary", "live")


@given(st.text(), st.text())
def test_a_place_lies_on_the_line_and_never_changes(workload: str, conversation: str) -> None:
    assert 0 <= place_of(workload, conversation) < 100
    assert place_of(workload, conversation) == place_of(workload, conversation)


def test_places_are_spread_evenly_and_differ_from_workload_to_workload() -> None:
    places = [place_of("w", str(number)) for number in range(10_000)]
    others = [place_of("v", str(number)) for number in range(10_000)]

    assert all(900 < sum(low <= place < low + 10 for place in places) < 1100 for low in range(0, 100, 10))
    assert 4700 < sum(a < b for a, b in zip(places, others, strict=True)) < 5300


def test_a_place_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert [round(place_of("cities", name), 6) for name in ("a", "b")] == [58.89038, 18.560996]


@given(PLACES, SHARES, SHARES, SHARES, SHARES)
def test_a_canary_that_grows_moves_conversations_only_towards_itself(
    place: float, low: float, high: float, live: float, teacher: float
) -> None:
    low, high = sorted((low, high))

    before = draw(place, canary=low, live=live, teacher=teacher).side
    after = draw(place, canary=high, live=live, teacher=teacher).side

    assert after in (before, "canary")


@given(PLACES, SHARES, SHARES, SHARES, SHARES)
def test_a_live_student_that_grows_takes_from_the_teacher_only(
    place: float, low: float, high: float, canary: float, teacher: float
) -> None:
    low, high = sorted((low, high))

    before = draw(place, canary=canary, live=low, teacher=teacher).side
    after = draw(place, canary=canary, live=high, teacher=teacher).side

    assert after == before or (before, after) == ("ramp", "live")


@given(PLACES, SHARES, SHARES, SHARES, SHARES, SHARES)
def test_the_teachers_sample_is_the_same_conversations_at_every_share(
    place: float, canary: float, live: float, other_canary: float, other_live: float, teacher: float
) -> None:
    sides = {
        draw(place, canary=canary, live=live, teacher=teacher).side == "teacher_sample",
        draw(place, canary=other_canary, live=other_live, teacher=teacher).side == "teacher_sample",
    }

    assert len(sides) == 1


@given(SHARES, SHARES, SHARES)
def test_the_propensities_of_all_who_may_answer_add_up_to_one_and_are_what_happens(
    canary: float, live: float, teacher: float
) -> None:
    steps = 2000
    drawn = [draw((step + 0.5) * 100 / steps, canary=canary, live=live, teacher=teacher) for step in range(steps)]
    told = {("teacher" if each.side not in STUDENTS else each.side): each.propensity for each in drawn}
    counted = {who: sum((each.side if each.side in STUDENTS else "teacher") == who for each in drawn) for who in told}

    assert abs(sum(told.values()) - 1) < 2 / steps * 3
    assert all(abs(told[who] - counted[who] / steps) < 2 / steps for who in told)


def test_a_canary_takes_what_the_sample_leaves_and_a_live_student_what_both_leave() -> None:
    def sides(**shares: float) -> list[str]:
        return [draw(place, **shares).side for place in (1.0, 20.0, 96.0, 98.0)]

    assert sides(canary=5, live=100, teacher=3) == ["canary", "live", "live", "teacher_sample"]
    assert sides(canary=100, live=0, teacher=3) == ["canary", "canary", "canary", "teacher_sample"]
    assert sides(canary=5, live=0, teacher=3) == ["canary", "ramp", "ramp", "teacher_sample"]
    assert sides(canary=0, live=50, teacher=0) == ["live", "live", "ramp", "ramp"]
