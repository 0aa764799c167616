"""Who the gate lets pass is let up one after the other, and only where it can answer anybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from distill.audit.audited import Audited, keep
from distill.audit.run import audit
from distill.night.report import reports_of
from nightschool.registry.change import change_students
from nightschool.registry.routing import Placed, Students, read_routing, this_moment
from nightschool.registry.steps import roll_back, settle
from tests.distill.evaluate.school import SYSTEM
from tests.distill.night.school import Message, School, knows_nothing
from tests.fake_replica import FakeReplica

NOW = "2026-11-25T00:00:00+00:00"


def students(school: School) -> Students:
    return read_routing(school.folder).students_of("w")


def canary(school: School) -> Placed:
    found = students(school).canary
    assert found is not None
    return found


def change(school: School, step: Callable[[Students], Students]) -> None:
    change_students(school.folder, "w", step, author="t", action="t", reason="t")


def told(school: School) -> str:
    return reports_of(school.folder, "w")[-1].told


def for_one_user(number: int) -> Message:
    """A prompt with a name in it, which nobody else has."""
    name = "".join("abcdefghij"[int(digit)] for digit in str(number))
    return {"role": "system", "content": f"You sort mail for {name}."}


@pytest.fixture
def waiting(school: School) -> School:
    """With a canary on its way, and a newer student that waits for it."""
    assert school.night() == "promoted"
    school.mail(60, first=500)
    assert school.night() == "qualified"
    return school


def test_a_student_that_could_answer_nobody_is_not_promoted(tmp_path: Path, server: FakeReplica) -> None:
    school = School(tmp_path, server.url)
    school.mail(400, system=for_one_user)

    assert school.night(shadow=5) == "undecided"
    assert read_routing(tmp_path).wanted() == ()
    assert "0 % are covered, since their system messages differ after “You sort mail for”" in told(school)
    assert "`record.redact`" in told(school)
    assert school.night(shadow=5) == "nothing_new"


def test_where_it_can_answer_few_the_share_is_told(tmp_path: Path, server: FakeReplica) -> None:
    school = School(tmp_path, server.url)
    school.mail(400, system=lambda number: SYSTEM if number % 2 else for_one_user(number))

    assert school.night() == "promoted"
    assert "5 % of the conversations; its prompts are those of " in told(school)


def test_a_canary_goes_on_while_newer_students_wait_of_which_the_newest_follows(waiting: School) -> None:
    first, second = canary(waiting), students(waiting).candidate
    waiting.mail(60, first=600)
    assert waiting.night() == "qualified"

    third = students(waiting).candidate
    assert third is not None
    assert (canary(waiting), third.qualified) == (first, True)
    assert third != second
    assert f"begins when the canary {first.adapter}, at 5 %, is live or was withdrawn" in told(waiting)

    change(waiting, lambda before: settle(before, first.adapter, now=NOW))
    audit(waiting.config(), "w")

    assert waiting.answering == [(third.adapter, 5.0), (first.adapter, 100.0)]


def test_one_that_waits_follows_a_canary_that_was_withdrawn(waiting: School) -> None:
    second = students(waiting).candidate
    assert second is not None

    change(waiting, lambda before: roll_back(before, now=NOW))
    audit(waiting.config(), "w")

    assert waiting.answering == [(second.adapter, 5.0)]


def test_one_that_waits_is_not_lost_to_a_newer_one_that_is_bad(waiting: School, server: FakeReplica) -> None:
    second = students(waiting).candidate
    server.rule = knows_nothing
    waiting.mail(60, first=600)

    assert waiting.night() == "rejected"
    assert (students(waiting).candidate, students(waiting).waiting) == (second, None)


def test_a_canary_that_agrees_less_than_is_asked_for_makes_room(waiting: School) -> None:
    first = canary(waiting)
    disagreed = [
        Audited(exchange=str(number), time=this_moment(), agreement=0.0, measure=first.measure) for number in range(3)
    ]
    keep(waiting.folder, "w", first.adapter, disagreed)
    waiting.mail(60, first=600)

    assert waiting.night() == "promoted"
    assert canary(waiting).adapter != first.adapter


@pytest.mark.parametrize("changed", [{"fingerprints": ("of another prompt",)}, {"since": NOW.replace("2026", "2020")}])
def test_a_canary_to_which_nothing_comes_any_more_makes_room(waiting: School, changed: dict[str, object]) -> None:
    first = canary(waiting)
    change(waiting, lambda before: replace(before, canary=replace(first, **changed)))
    waiting.mail(60, first=600)

    assert waiting.night() == "promoted"
    assert canary(waiting).adapter != first.adapter
