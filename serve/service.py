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

from nightschool.config import Config, find_config, load_config
from nightschool.config.follow import Followed
from nightschool.errors import NightschoolError, RegistryError
from nightschool.logs import configure_logging
from nightschool.registry.processor import processor_is_taken
from nightschool.registry.replicas import WRITTEN_EVERY, ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import RoutingState, read_routing, registry_of
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once
from serve.fleet import Fleet, ServeError, asked_by, fleet_of

LOOK_EVERY_S = 0.25

log = logging.getLogger("nightschool.serve")


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
        if not self._config.student.servers:
            raise ServeError(
                "there is nothing to serve with: no server is configured",
                remedy="set `student: {base_model: …, replicas: [http://…]}`, or `engine: {}` instead of replicas to "
                "have vLLM started here",
            )
        fleet: Fleet | None = fleet_of(self._config)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        while fleet is not None:
            following = await self._keep(fleet)
            await fleet.end(following)
            self._write(fleet.states)
            fleet = following

    async def _keep(self, fleet: Fleet) -> Fleet | None:
        """Until it is to stop, or the configuration asks for another one: that one, at which nobody is at work yet."""
        following = None
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keeper.keep(lambda: (self._names, self._rest))) for keeper in fleet.keepers]
            while not self._stop.is_set() and following is None:
                self._look()
                self._write(fleet.states)
                await self._pause()
                following = self._after(fleet)
            for task in tasks:
                task.cancel()
        return None if self._stop.is_set() else following

    def _after(self, fleet: Fleet) -> Fleet | None:
        """What a changed configuration asks for instead, if it does; one that cannot be served changes nothing."""
        changed = self._followed.look()
        if changed is None:
            return None
        if changed.data != self._config.data:
            log.warning("config_needs_restart keys=data")
            return None
        self._config = changed
        log.info("config_reloaded path=%s", self._followed.path)
        if asked_by(changed.student) == fleet.asked:
            return None
        try:
            following = fleet_of(changed, fleet)
        except (NightschoolError, OSError) as error:
            log.error("student_refused path=%s; the servers before stay\n%s", self._followed.path, error)
            return None
        if not following.keepers:
            log.warning("nothing_to_serve: no server is configured any more; students answer nothing until one is")
        return following

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
