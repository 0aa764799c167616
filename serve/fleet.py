"""The servers that one configuration asks for, each with its keeper, and the engine among them that is ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nightschool.child import Child
from nightschool.config import Config, Engine, Student
from nightschool.engine.replica import Replica
from nightschool.errors import NightschoolError
from nightschool.formats import format_for
from nightschool.registry.replicas import ReplicaState
from serve.engine import engine_command, engine_environment
from serve.keeper import Keeper
from serve.reconcile import Reconciler
from serve.wanted import Wanted

_REPLICA_TIMEOUT_S = 120.0
"""For loading an adapter, and for its first answer, which may compile something."""


class ServeError(NightschoolError):
    """There is nothing to serve with, or somebody else does."""


class Asked(NamedTuple):
    """What of a configuration servers depend on; all else changes without them."""

    base_model: str | None
    servers: tuple[str, ...]
    engine: Engine | None
    unload_after_s: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """Nothing is started before its keepers are at work. End it."""

    asked: Asked
    replicas: Sequence[Replica]
    keepers: Sequence[Keeper]
    engine: Child | None

    @property
    def states(self) -> tuple[ReplicaState, ...]:
        return tuple(keeper.state for keeper in self.keepers)

    async def end(self, following: Fleet | None) -> None:
        """The engine ends too, unless the fleet that follows goes on with it."""
        if following is None or self.engine is not following.engine:
            for keeper in self.keepers:
                keeper.end()
        for replica in self.replicas:
            await replica.close()


def asked_by(student: Student) -> Asked:
    return Asked(student.base_model, student.servers, student.engine, student.unload_after_s)


def fleet_of(config: Config, before: Fleet | None = None) -> Fleet:
    """Without servers an empty one. An engine of ``before`` that would be started just so is taken over.

    Raises ServeError, ReplicaError or UnknownFamily for what cannot be served; nothing has happened then.
    """
    student = config.student
    if not student.servers:
        return Fleet(asked_by(student), (), (), None)
    if student.base_model is None:
        raise ServeError(
            "there is nothing to serve with: servers are configured, and no base model",
            remedy="set `student.base_model` to the model that they hold",
        )
    format, engine = format_for(student.base_model), _engine(config)
    if engine is not None and before is not None and before.engine is not None and engine.is_like(before.engine):
        engine = before.engine
    replicas = [Replica(url, timeout_s=_REPLICA_TIMEOUT_S, connections=4) for url in student.servers]
    wanted = Wanted(config.data, student.base_model, format)
    engine_url = None if student.engine is None else student.servers[-1]
    keepers = [
        Keeper(
            Reconciler(
                replica,
                wanted,
                base_model=student.base_model,
                format=format,
                unload_after_s=student.unload_after_s,
            ),
            engine if replica.url == engine_url else None,
            start_s=0.0 if student.engine is None else student.engine.start_s,
        )
        for replica in replicas
    ]
    return Fleet(asked_by(student), replicas, keepers, engine)


def _engine(config: Config) -> Child | None:
    engine, base_model = config.student.engine, config.student.base_model
    if engine is None or base_model is None:
        return None
    return Child("engine", engine_command(engine, base_model), env=engine_environment(engine, config.secrets()))
