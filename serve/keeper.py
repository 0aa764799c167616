"""A replica, looked after on its own: a hanging one holds nobody else up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from nightschool.child import Child
from nightschool.engine.replica import Replica, ReplicaError
from nightschool.registry.replicas import ReplicaState
from serve.reconcile import Reconciler

LOOK_EVERY_S = 1.0
_FINISH_WITHIN_S = 30.0
"""Requests that a replica is at work on when it is to rest get so long; proxies send it no new ones."""
_ENGINE_ENDS_WITHIN_S = 30.0

log = logging.getLogger("nightschool.serve")


class Keeper:
    """``child``: the engine, where we run it ourselves. ``state`` is what was last found."""

    def __init__(self, reconciler: Reconciler, child: Child | None, *, start_s: float) -> None:
        self._reconciler, self._child, self._start_s = reconciler, child, start_s
        url = reconciler.replica.url
        self.state = ReplicaState(url=url, ready=False, why="it was not looked at yet")
        self._rests = False

    async def keep(self, wanted: Callable[[], tuple[Sequence[str], bool]]) -> None:
        """Until cancelled. ``wanted``: the adapters that replicas are to hold, and whether they are to rest."""
        while True:
            names, rest = wanted()
            if rest and not self._rests:
                await self._lie_down()
            elif not rest and self._rests:
                await self._get_up()
            if not self._rests:
                self._tell(await self._look(names))
            await asyncio.sleep(LOOK_EVERY_S)

    def end(self) -> None:
        """The engine ends with us; a replica that we only adopted goes on."""
        if self._child is not None:
            self._child.stop(_ENGINE_ENDS_WITHIN_S)
            self.state = ReplicaState(url=self.state.url, ready=False, why="its engine was stopped")

    async def _look(self, names: Sequence[str]) -> ReplicaState:
        if self._child is not None and self._child.keep_alive():
            log.info("engine_started url=%s pid=%s", self.state.url, self._child.pid)
        state = await self._reconciler.look(names)
        child = self._child
        if state.ready or child is None or not child.running:
            return state
        if child.age_s > self._start_s and not self.state.ready:
            log.error("engine_too_slow url=%s: not ready after %.0f s, so it is started anew", state.url, child.age_s)
            await asyncio.to_thread(child.stop, _ENGINE_ENDS_WITHIN_S)
        return replace(state, why=f"its engine starts{_again(child)}, {child.age_s:.0f} s so far: {state.why}")

    async def _lie_down(self) -> None:
        replica = self._reconciler.replica
        self._tell(replace(self.state, paused=True))
        if self.state.ready:
            await self._finish(replica)
        if self._child is not None:
            await asyncio.to_thread(self._child.stop, _ENGINE_ENDS_WITHIN_S)
        else:
            await _put_to_sleep(replica)
        self._reconciler.forget()
        self._rests = True
        self._tell(replace(self.state, ready=False, why="it rests while a student is trained"))

    async def _finish(self, replica: Replica) -> None:
        """Until proxies send nothing any more, and what is under way has ended."""
        deadline = time.monotonic() + _FINISH_WITHIN_S
        await asyncio.sleep(2 * LOOK_EVERY_S)
        with suppress(ReplicaError):
            while await replica.running() and time.monotonic() < deadline:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _get_up(self) -> None:
        replica = self._reconciler.replica
        if self._child is None:
            try:
                await replica.wake_up()
            except ReplicaError as error:
                log.warning("replica_not_woken url=%s %s", replica.url, error)
        self._rests = False

    def _tell(self, state: ReplicaState) -> None:
        before, self.state = self.state, state
        if (before.ready, before.paused, before.adapters) != (state.ready, state.paused, state.adapters):
            log.info(
                "replica url=%s ready=%s paused=%s adapters=%s", state.url, state.ready, state.paused, state.adapters
            )
        if not state.ready and before.ready and not state.paused:
            log.error("replica_lost url=%s %s", state.url, state.why)
        for name, fault in state.faults.items():
            if before.faults.get(name) != fault:
                log.error("adapter_not_loaded url=%s adapter=%s %s", state.url, name, fault)


def _again(child: Child) -> str:
    if child.died_with is None:
        return ""
    return f" again (the one before ended with status {child.died_with}, and has said why in our output)"


async def _put_to_sleep(replica: Replica) -> None:
    try:
        if not await replica.sleep():
            log.warning("replica_cannot_sleep url=%s: start vLLM with --enable-sleep-mode", replica.url)
    except ReplicaError as error:
        log.warning("replica_not_paused url=%s %s", replica.url, error)
