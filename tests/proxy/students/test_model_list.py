"""The upstream's list of models, and behind it the names of students."""

from __future__ import annotations

import json

import pytest

from nightschool.registry.routing import Students
from proxy.students.model_list import merged, names_of
from tests.proxy.students.cast import NEW, NEXT, OLD, WORKLOAD, candidate, placed, roster

SAID = {"object": "list", "data": [{"id": "gpt-4o", "object": "model"}], "more": 1}


def test_students_that_answer_have_a_name_and_each_of_their_adapters_one() -> None:
    students = Students(canary=placed(NEW, 5), live=placed(OLD), candidate=candidate(NEXT))

    assert names_of([roster(students), roster(Students(candidate=candidate(NEXT)))]) == [
        f"nightschool/{WORKLOAD}",
        f"nightschool/{WORKLOAD}@{NEW}",
        f"nightschool/{WORKLOAD}@{OLD}",
    ]


def test_everything_that_the_upstream_said_is_kept() -> None:
    longer = merged(json.dumps(SAID).encode(), ["nightschool/w"])

    assert longer is not None
    own = {"id": "nightschool/w", "object": "model", "created": 0, "owned_by": "nightschool"}
    assert json.loads(longer) == {**SAID, "data": [*SAID["data"], own]}  # type: ignore[misc]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": {}}', b'{"models": []}'])
def test_what_is_no_list_stays_as_it_is(body: bytes) -> None:
    assert merged(body, ["nightschool/w"]) is None
