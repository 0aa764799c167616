"""`nightschool serve`: registry -> what replicas hold -> ``replicas.json``, for as long as it runs.

    configuration, routing state ── looked at ──► wanted adapters ──► a keeper per replica ──► replicas.json ──► proxies

Whatever goes wrong is told in that file and in the log, and teachers answer meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from nightschool.child import Child
from nightschool.config import Config, find_config, load_config
from nightschool.config.follow import Followed
from nightschool.engine.replica import Replica
from nightschool.errors import NightschoolError, RegistryError
from nightschool.formats import format_for
from nightschool.logs import configure_logging
from nightschool.registry.processor import processor_is_taken
from nightschool.registry.replicas import WRITTEN_EVERY, ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import RoutingState, read_routing, registry_of
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once
from serve.engine import engine_command, engine_environment
from serve.keeper import Keeper
from serve.reconcile import Reconciler
from serve.wanted import Wanted

LOOK_EVERY_S = 0.25
_REPLICA_TIMEOUT_S = 120.0
"""For loading an adapter, and for its first answer, which may compile something."""

log = logging.getLogger("nightschool.serve")


class ServeError(NightschoolError):
    """There is nothing to serve with, or somebody else does."""


def serve(config_path: Path | None) -> int:
    """Look after the replicas until SIGTERM or Ctrl-C; returns the exit code."""
    configure_logging()
    path = find_config(config_path, os.environ).resolve()
    config = load_config(path, os.environ)
    make_folder(registry_of(config.data))
    with lock_at_once(registry_of(config.data) / "serve.lock") as held:
        if not held:
            raise ServeError(
                f"another `nightschool serve` looks after the replicas of {config.data}", remedy="stop it first"
            )
        asyncio.run(_Service(config, Followed(path, os.environ)).run())
    return 0


class _Service:
    def __init__(self, config: Config, followed: Followed) -> None:
        self._config, self._followed = config, followed
        self._stop = asyncio.Event()
        self._names: Sequence[str] = ()
        self._rest = False
        self._routing = RoutingState()
        self._refused: str | None = None
        self._written: tuple[ReplicaState, ...] | None = None
        self._written_at = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        while not self._stop.is_set():
            await self._run_with(self._config)

    async def _run_with(self, config: Config) -> None:
        """Until it is to stop, or the configuration says something else about replicas."""
        replicas = [Replica(url, timeout_s=_REPLICA_TIMEOUT_S, connections=4) for url in config.student.servers]
        keepers = _keepers(config, replicas)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.keep(lambda: (self._names, self._rest))) for keeper in keepers]
            while not self._stop.is_set() and self._same(config):
                self._look()
                self._write(tuple(keeper.state for keeper in keepers))
                await self._pause()
            for task in tasks:
                task.cancel()
        for keeper in keepers:
            keeper.end()
        self._write(tuple(keeper.state for keeper in keepers))
        for replica in replicas:
            await replica.close()

    def _same(self, config: Config) -> bool:
        """Whether the configuration still says so; a new one is in force at the next turn."""
        changed = self._followed.look()
        if changed is not None and changed.data != self._config.data:
            log.warning("config_needs_restart keys=data")
        elif changed is not None:
            self._config = changed
            log.info("config_reloaded path=%s", self._followed.path)
        return self._config.student == config.student

    def _look(self) -> None:
        """What is wanted now; a routing state that cannot be read is told once, and what it said stays in force."""
        try:
            self._routing = read_routing(self._config.data)
            self._refused = None
        except RegistryError as error:
            if str(error) != self._refused:
                self._refused = str(error)
                log.error("registry_refused %s; what it said before stays in force", error)
        self._names = self._routing.wanted()
        self._rest = processor_is_taken(self._config.data)

    def _write(self, states: tuple[ReplicaState, ...]) -> None:
        """When something has changed, and every few seconds, which says that somebody is there."""
        now = datetime.now(UTC)
        if states == self._written and abs(now - self._written_at) < WRITTEN_EVERY:
            return
        try:
            write_replicas(
                self._config.data, ReplicaStates(time=now.isoformat(timespec="milliseconds"), replicas=states)
            )
        except OSError as error:
            log.error("replicas_not_written %s: proxies keep what they know", error)
        self._written, self._written_at = states, now

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._stop.wait()
        except TimeoutError:
            pass


def _keepers(config: Config, replicas: Sequence[Replica]) -> list[Keeper]:
    student = config.student
    if student.base_model is None or not replicas:
        raise ServeError(
            "there is nothing to serve with: no base model, or no server, is configured",
            remedy="set `student: {base_model: …, replicas: [http://…]}`, or `engine: {}` instead of replicas to have "
            "vLLM started here",
        )
    format = format_for(student.base_model)
    wanted = Wanted(config.data, student.base_model, format)
    engine_url = None if student.engine is None else student.servers[-1]
    return [
        Keeper(
            Reconciler(
                replica,
                wanted,
                base_model=student.base_model,
                format=format,
                unload_after_s=student.unload_after_s,
            ),
            _engine(config) if replica.url == engine_url else None,
            start_s=0.0 if student.engine is None else student.engine.start_s,
        )
        for replica in replicas
    ]


def _engine(config: Config) -> Child:
    engine, base_model = config.student.engine, config.student.base_model
    assert engine is not None
    assert base_model is not None
    return Child("engine", engine_command(engine, base_model), env=engine_environment(engine, config.secrets()))
