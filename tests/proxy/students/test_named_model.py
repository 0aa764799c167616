"""Students that are asked for by the name of a model."""

from __future__ import annotations

from typing import Any

import pytest

from nightschool.registry.routing import Students
from proxy.control import NOTHING_SAID
from proxy.facts import RequestFacts
from proxy.route import Route
from proxy.students.named_model import NamedStudent, StudentUnavailable, named_in, route_to
from proxy.students.roster import Roster
from tests.proxy.students.cast import (
    NEXT,
    OLD,
    ONE,
    SYSTEM,
    TEACHER,
    WORKLOAD,
    Ward,
    body,
    candidate,
    placed,
    replica,
    request,
    roster,
)

BOTH = Students(live=placed(OLD), candidate=candidate(NEXT))
CHANGED: Any = body(messages=[{**SYSTEM, "content": "Name the largest city."}])


def to(name: str, facts: RequestFacts, students: Roster, ward: Ward | None = None) -> Route:
    named = named_in(name)
    assert named is not None
    return route_to(named, facts, NOTHING_SAID, teacher=TEACHER, roster=students, health=ward or Ward())


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (None, None),
        ("gpt-4o", None),
        ("nightschool", None),
        ("nightschool/pii", NamedStudent("pii", None)),
        ("nightschool/pii@pii--0a", NamedStudent("pii", "pii--0a")),
        ("nightschool/pii@", NamedStudent("pii", None)),
        ("nightschool/", NamedStudent("", None)),
    ],
)
def test_a_name_says_which_workload_and_which_adapter(model: str | None, named: NamedStudent | None) -> None:
    assert named_in(model) == named


def test_the_workloads_name_gives_the_student_that_answers_and_no_teacher_behind_it() -> None:
    found = to(f"nightschool/{WORKLOAD}", request(), roster(BOTH, teacher_share=100))

    assert (found.target, found.adapter, found.reason, found.teacher) == ("student", OLD, "asked", None)
    assert [each.url for each in found.replicas] == [ONE]


def test_an_adapters_name_gives_this_one_also_before_it_answers_anybody() -> None:
    assert to(f"nightschool/{WORKLOAD}@{NEXT}", request(), roster(BOTH)).adapter == NEXT
    assert to(f"nightschool/{WORKLOAD}@{OLD}", request(), roster(BOTH)).adapter == OLD


def test_the_prompt_need_not_be_one_that_it_is_qualified_on() -> None:
    assert to(f"nightschool/{WORKLOAD}", request(CHANGED), roster(BOTH)).adapter == OLD


@pytest.mark.parametrize(
    ("name", "facts", "students", "ward", "status", "code"),
    [
        (WORKLOAD, request(body(n=2)), roster(BOTH), Ward(), 400, "capability"),
        (WORKLOAD, request(endpoint="/embeddings"), roster(BOTH), Ward(), 400, "capability"),
        (WORKLOAD, request(), roster(BOTH), Ward(shut={ONE}), 503, "no_replica"),
        (WORKLOAD, request(), roster(BOTH, replica(ONE, paused=True)), Ward(), 503, "training"),
        (WORKLOAD, request(), roster(Students(candidate=candidate(NEXT))), Ward(), 404, "model_not_found"),
        (f"{WORKLOAD}@nobody", request(), roster(BOTH), Ward(), 404, "model_not_found"),
    ],
)
def test_where_it_cannot_answer_the_client_is_told_why(
    name: str, facts: RequestFacts, students: Roster, ward: Ward, status: int, code: str
) -> None:
    with pytest.raises(StudentUnavailable) as told:
        to(f"nightschool/{name}", facts, students, ward)

    assert (told.value.status, told.value.code) == (status, code)
