"""Waiting for a replica that holds an adapter."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from nightschool.engine.replica import ReplicaError
from nightschool.registry.replicas import ReplicaState, ReplicaStates, read_replicas

_LOOK_EVERY_S = 0.5
_SAY_EVERY_S = 15.0


def replicas_with(data: Path, adapter: str, *, patience_s: float, say: Callable[[str], object]) -> list[str] | None:
    """Addresses of replicas that are ready with it; None where no serve process is there to load it.

    Raises ReplicaError where every replica refuses the adapter, or none is ready within ``patience_s``. A fault that
    may pass is waited out: the serve process tries again.
    """
    begin = said = time.monotonic()
    while True:
        states = read_replicas(data)
        if not states.is_kept_up:
            return None
        ready = [each.url for each in states.ready_with(adapter)]
        if ready:
            return ready
        faults = [_refusal(each, adapter) for each in states.replicas if each.ready]
        if faults and all(faults):
            raise ReplicaError(f"no replica takes {adapter}: {faults[0]}", remedy="mend that, and run the night again")
        waited_s = time.monotonic() - begin
        if waited_s > patience_s:
            raise ReplicaError(
                f"no replica was ready with {adapter} within {patience_s:.0f} s: {_why(states, adapter)}",
                remedy="look at `nightschool routes` and the log of `nightschool serve`, then run the night again",
            )
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            say(f"waiting for a replica with {adapter}, {waited_s:.0f} s so far: {_why(states, adapter)}")
        time.sleep(_LOOK_EVERY_S)


def _refusal(replica: ReplicaState, adapter: str) -> str | None:
    return None if adapter in replica.passing else replica.faults.get(adapter)


def _why(states: ReplicaStates, adapter: str) -> str:
    reasons = [each.why or each.faults.get(adapter) for each in states.replicas]
    told = [reason.splitlines()[0] for reason in reasons if reason]
    return "; ".join(told) or "it is not loaded yet"
