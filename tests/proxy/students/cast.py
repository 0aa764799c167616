"""A workload with students and replicas, and requests of it: what the tests of routing speak of."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from nightschool.config import Config
from nightschool.registry.replicas import ReplicaState, ReplicaStates
from nightschool.registry.routing import Candidate, Placed, RoutingState, Students
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import read_request
from proxy.control import NOTHING_SAID, Control
from proxy.facts import RequestFacts
from proxy.route import Route
from proxy.students.choice import choose
from proxy.students.registry import Registered
from proxy.students.roster import Roster, rosters_of

WORKLOAD = "cities"
OLD, NEW, NEXT = (f"{WORKLOAD}--{digit * 12}" for digit in "abc")
SYSTEM = {"role": "system", "content": "Name the capital."}
TOOLS: Any = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
TEACHER = Route(WORKLOAD, ("main",), "rule")
ONE, TWO = "http://one:8000", "http://two:8000"


def body(**fields: Any) -> dict[str, Any]:
    """A request that a student can answer; ``fields`` go over it."""
    return {"model": "gpt-4o", "messages": [SYSTEM, {"role": "user", "content": "Of Italy?"}], **fields}


def request(given: dict[str, Any] | None = None, *, endpoint: str = "/chat/completions") -> RequestFacts:
    raw = json.dumps(body() if given is None else given).encode()
    return RequestFacts(endpoint, {}, raw, header_tags={}, deployment=None)


def print_of(given: dict[str, Any]) -> str:
    read = read_request(json.dumps(given).encode())
    assert read is not None
    return fingerprint(read) or ""


KNOWN = (print_of(body()), print_of(body(tools=TOOLS)))


def placed(adapter: str, share: float = 100.0, fingerprints: tuple[str, ...] = KNOWN) -> Placed:
    return Placed(adapter=adapter, share=share, fingerprints=fingerprints, since="2026-11-25T02:00:00+00:00")


def candidate(adapter: str) -> Candidate:
    return Candidate(adapter=adapter)


def replica(url: str, *adapters: str, **fields: Any) -> ReplicaState:
    return ReplicaState(url=url, ready=fields.pop("ready", True), adapters=adapters or (OLD, NEW, NEXT), **fields)


def registered(students: Students, *replicas: ReplicaState) -> Registered:
    return Registered(
        RoutingState(revision=1, workloads={WORKLOAD: students}),
        ReplicaStates(replicas=replicas or (replica(ONE),)),
    )


def config(*, teacher_share: float = 0.0, **sections: Any) -> Config:
    workloads = {WORKLOAD: {"when": {"model": "*"}, "promote": {"teacher_share": teacher_share}}}
    return Config.model_validate(
        {"upstreams": {"main": {"base_url": "http://m/v1"}}, "workloads": workloads} | sections
    )


def roster(students: Students, *replicas: ReplicaState, teacher_share: float = 0.0) -> Roster:
    return rosters_of(config(teacher_share=teacher_share), registered(students, *replicas))[WORKLOAD]


@dataclass
class Ward:
    """What is known of replicas."""

    shut: set[str] = field(default_factory=set)
    busy: dict[str, int] = field(default_factory=dict)

    def available(self, url: str) -> bool:
        return url not in self.shut

    def in_flight(self, url: str) -> int:
        return self.busy.get(url, 0)


def route(given: RequestFacts, roster: Roster, control: Control = NOTHING_SAID, *, ward: Ward | None = None) -> Route:
    return choose(
        given,
        control,
        teacher=TEACHER,
        roster=roster,
        health=ward or Ward(),
        fingerprint=lambda facts: facts.fingerprint,
    )


def answer(
    given: RequestFacts, roster: Roster, control: Control = NOTHING_SAID, **state: Any
) -> tuple[str, str | None]:
    """Why it is answered so, and by which adapter."""
    found = route(given, roster, control, **state)
    return found.reason, found.adapter
