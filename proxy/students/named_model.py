"""A student that the client asks for by the name of a model.

    nightschool/<workload>              the student of that workload which answers
    nightschool/<workload>@<adapter>    that adapter, if a replica holds it: also a candidate that answers nobody yet

Who asks so wants this student and no other: the shares, the teacher's sample and the prompts that it is qualified on
do not count, and since no teacher knows the name, none answers in its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from proxy.control import Control
from proxy.facts import RequestFacts
from proxy.route import Route
from proxy.students.capability import ENDPOINT
from proxy.students.choice import Health, Obstacle, asked_for, conversation_of, replicas_for
from proxy.students.roster import Answerer, Roster

PREFIX = "nightschool/"


class StudentUnavailable(Exception):
    """The student that was asked for by name cannot answer; the client is told ``status`` and ``code``."""

    def __init__(self, problem: str, *, status: int, code: str) -> None:
        super().__init__(problem)
        self.status = status
        self.code = code


class NamedStudent(NamedTuple):
    workload: str
    adapter: str | None


_OBSTACLES = {
    "capability": (400, "the request has a field, content or a length that no student can take (docs/routing.md)"),
    "training": (503, "its replicas are paused for a training run"),
    "no_replica": (503, "no replica that holds it is ready"),
}


def named_in(model: str | None) -> NamedStudent | None:
    """None for every other model."""
    if model is None or not model.startswith(PREFIX):
        return None
    workload, _, adapter = model.removeprefix(PREFIX).partition("@")
    return NamedStudent(workload, adapter or None)


def route_to(
    named: NamedStudent, facts: RequestFacts, control: Control, *, teacher: Route, roster: Roster, health: Health
) -> Route:
    """Raises StudentUnavailable."""
    conversation = conversation_of(facts, control) or ""
    answerer = _answerer(named, roster, conversation)
    found = (
        replicas_for(facts, answerer, conversation, health=health, fingerprint=None)
        if facts.endpoint == ENDPOINT
        else Obstacle("capability")
    )
    if isinstance(found, Obstacle):
        status, cause = _OBSTACLES[found.reason]
        raise StudentUnavailable(f"{facts.model}: {cause}", status=status, code=found.reason)
    return replace(teacher, reason="asked", target="student", adapter=answerer.adapter, replicas=found)


def _answerer(named: NamedStudent, roster: Roster, conversation: str) -> Answerer:
    if named.adapter is None:
        answerer = asked_for(roster, conversation)
        if answerer is None:
            raise StudentUnavailable(f"no student of {named.workload} answers yet", status=404, code="model_not_found")
        return answerer
    answerer = roster.by_adapter.get(named.adapter)
    if answerer is None:
        known = ", ".join(roster.by_adapter)
        raise StudentUnavailable(
            f"replicas do not hold the adapter {named.adapter!r} for {named.workload}; they are to hold {known}",
            status=404,
            code="model_not_found",
        )
    return answerer
