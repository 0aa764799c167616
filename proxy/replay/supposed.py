"""Who is supposed to answer: the routing state in force, the states that were in force, or one that never was. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from nightschool.config import Config
from nightschool.registry.change import Change
from nightschool.registry.replicas import ReplicaState, ReplicaStates
from nightschool.registry.routing import RoutingState, Students
from nightschool.registry.steps import at_share, force
from proxy.students.registry import Registered
from proxy.students.roster import Roster, rosters_of

BEGINNING_US = -(2**62)
_SOME_REPLICA = "http://127.0.0.1:1"


class Since(NamedTuple):
    """A routing state, and when it came into force."""

    time_us: int
    state: RoutingState


def always(state: RoutingState) -> list[Since]:
    return [Since(BEGINNING_US, state)]


def as_routed(state: RoutingState, changes: Sequence[Change]) -> list[Since]:
    """Back from the state in force through all its changes, the oldest of which is given first."""
    found: list[Since] = []
    until_us = 2**62
    for change in reversed(changes):
        until_us = min(until_us, _microseconds(change.time))  # a clock that was set back must not change their order
        found.append(Since(until_us, state))
        state = replace(state, workloads={**state.workloads, change.workload: change.before})
    return [*always(state), *reversed(found)]


def with_share(students: Students, share: float) -> Students:
    """The newest student that answers has this share; where none does, the qualified candidate. Raises StepRefused."""
    if students.canary is None and students.live is not None:
        return replace(students, live=replace(students.live, share=share))
    return at_share(students, share=share, now="")


def with_adapter(students: Students, adapter: str, *, share: float, fingerprints: tuple[str, ...]) -> Students:
    """As `nightschool promote --adapter --share` would have it."""
    return force(students, adapter, share=share, fingerprints=fingerprints, now="")


def qualified_prompts(students: Students, piece: str) -> Mapping[str, tuple[str, ...]]:
    """The adapters whose name has ``piece`` in it, as far as the state knows on which prompts they are qualified."""
    known = (students.previous, students.waiting, students.candidate, *reversed(students.answering()))
    return {each.adapter: each.fingerprints for each in known if each and each.fingerprints and piece in each.adapter}


class Supposed:
    """The students of every workload at every time; each replica is ready with all of them."""

    def __init__(self, config: Config, states: Sequence[Since], known: ReplicaStates) -> None:
        """``states`` in order, the first from the beginning of time."""
        self._times_us = [each.time_us for each in states]
        self._rosters = [
            rosters_of(config, Registered(each.state, _ready(known, each.state.wanted()))) for each in states
        ]

    def at(self, time_us: int) -> Mapping[str, Roster]:
        return self._rosters[bisect_right(self._times_us, time_us) - 1]


def _ready(known: ReplicaStates, wanted: tuple[str, ...]) -> ReplicaStates:
    """Where no replica is known, one whose window takes any prompt."""
    replicas = known.replicas or (ReplicaState(url=_SOME_REPLICA, ready=True),)
    return ReplicaStates(
        replicas=tuple(
            replace(each, ready=True, paused=False, adapters=tuple(dict.fromkeys((*each.adapters, *wanted))))
            for each in replicas
        )
    )


def _microseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1e6)
