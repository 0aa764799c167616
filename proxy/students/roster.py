"""Registry and configuration -> for each workload the adapters that may answer, and where; compiled once per change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nightschool.config import Config
from nightschool.registry.replicas import ReplicaStates
from nightschool.registry.routing import RoutingState, Students
from proxy.call_ids import digits_of
from proxy.route import ReplicaChoice
from proxy.students.registry import Registered

NEVER: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answerer:
    """An adapter that replicas may be asked for."""

    adapter: str
    fingerprints: frozenset[str]
    """Of the prompts that it was qualified on."""
    replicas: tuple[ReplicaChoice, ...]
    """Ready with it."""
    paused: bool
    """None is ready, since those that hold it give their processors to a training run."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The students of one workload."""

    workload: str
    canary: Answerer | None
    canary_share: float
    live: Answerer | None
    live_share: float
    teacher_share: float
    by_adapter: Mapping[str, Answerer]
    """All that replicas are to hold, those that answer nobody yet or no more among them."""
    by_digits: Mapping[str, Answerer]
    """The same by the digits in the ids of their tool calls."""

    @property
    def answering(self) -> tuple[Answerer, ...]:
        return tuple(each for each in (self.canary, self.live) if each is not None)


def rosters_of(config: Config, registered: Registered) -> dict[str, Roster]:
    """Of the workloads that the configuration names and that have any students."""
    return {
        name: _roster(name, students, registered.replicas, config.workloads[name].promote.teacher_share)
        for name, students in registered.routing.workloads.items()
        if name in config.workloads and students.wanted()
    }


def unnamed(config: Config, routing: RoutingState) -> frozenset[str]:
    """Workloads that have students which answer, and that the configuration does not name (any more)."""
    return frozenset(
        name for name, students in routing.workloads.items() if students.answering() and name not in config.workloads
    )


def replica_name(url: str) -> str:
    """What records and metrics call a replica."""
    return f"replica {url}"


def _roster(workload: str, students: Students, replicas: ReplicaStates, teacher_share: float) -> Roster:
    qualified = {
        each.adapter: frozenset(each.fingerprints)
        for each in (students.previous, students.waiting, students.candidate, *reversed(students.answering()))
        if each is not None
    }
    by_adapter = {adapter: _answerer(adapter, qualified.get(adapter, NEVER), replicas) for adapter in students.wanted()}
    canary, live = students.canary, students.live
    return Roster(
        workload,
        canary=None if canary is None else by_adapter[canary.adapter],
        canary_share=0.0 if canary is None else canary.share,
        live=None if live is None else by_adapter[live.adapter],
        live_share=0.0 if live is None else live.share,
        teacher_share=teacher_share,
        by_adapter=by_adapter,
        by_digits={digits_of(name): each for name, each in by_adapter.items()},
    )


def _answerer(adapter: str, fingerprints: Iterable[str], replicas: ReplicaStates) -> Answerer:
    ready = tuple(
        ReplicaChoice(each.url, replica_name(each.url), each.max_model_len, each.stop_token_ids)
        for each in replicas.ready_with(adapter)
    )
    paused = not ready and any(each.paused for each in replicas.replicas)
    return Answerer(adapter, frozenset(fingerprints), ready, paused)
