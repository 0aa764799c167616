"""Whether the canary goes on, or makes room for a newer student that the gate has let pass.

It goes on: one that began anew with every night would never come to the end of its ramp. Only what nothing speaks for
any more makes room.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from distill.audit.look import look
from distill.night.prompts import Prompts
from nightschool.config import Config
from nightschool.registry.change import read_history
from nightschool.registry.routing import Placed

_PATIENCE = timedelta(days=7)
"""With a canary of whose answers none is compared."""
_LEAST_COVERED = 0.5
"""Of the newest traffic that the newer student may answer."""


def makes_room(config: Config, workload: str, canary: Placed, prompts: Prompts) -> bool:
    """``prompts``: of the newer student's test."""
    if prompts.newest_covered(canary.fingerprints) < _LEAST_COVERED * prompts.newest_covered(prompts.qualified):
        return True  # prompts have changed: hardly anything comes to it any more
    seen = look(config, workload, canary, read_history(config.data, workload), climbs=True)
    newest = max(canary.since, seen.newest or "")
    return seen.verdict.doubt or datetime.now(UTC) - datetime.fromisoformat(newest) > _PATIENCE
