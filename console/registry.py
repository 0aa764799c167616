"""The registry as the pages see it."""

from __future__ import annotations

from typing import NamedTuple

from console.desk import Desk
from nightschool.errors import NightschoolError
from nightschool.registry.change import Change, read_history
from nightschool.registry.replicas import ReplicaStates, read_replicas
from nightschool.registry.routing import RoutingState, read_routing


class Registry(NamedTuple):
    """What the registry says, or why it cannot be read."""

    routing: RoutingState
    replicas: ReplicaStates
    history: list[Change]
    fault: str


def read_registry(desk: Desk) -> Registry:
    """A registry that cannot be read is told of, and stands in nobody's way."""
    try:
        return Registry(read_routing(desk.data), read_replicas(desk.data), read_history(desk.data), "")
    except NightschoolError as error:
        return Registry(RoutingState(), ReplicaStates(), [], f"{error.problem}; {error.remedy}")
