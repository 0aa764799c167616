"""The students of the soak: two adapters on one replica, promoted, widened and rolled back by the registry's own
steps."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path

from bench.soak.question import STUDENTS
from bench.soak.requests import WORKLOAD, taught_prompts
from nightschool.registry.change import Change, change_students
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.routing import Students, this_moment
from nightschool.registry.steps import force, roll_back, settle

FIRST, SECOND = f"{STUDENTS}0123456789ab", f"{STUDENTS}fedcba987654"
_CANARY_SHARE = 30.0


class Promotions:
    """Goes round: one is live, the other comes as a canary and settles, is rolled back; then all goes to the
    teacher."""

    def __init__(self, data: Path, replica_url: str) -> None:
        self._data = data
        self._prompts = taught_prompts()
        steps = (self._first_live, self._second_canary, self._settled, self._rolled_back, self._to_teacher)
        self._steps = cycle(zip(("promote", "promote", "ramp", "rollback", "rollback"), steps, strict=True))
        held = ReplicaState(url=replica_url, ready=True, max_model_len=1 << 20, adapters=(FIRST, SECOND))
        write_replicas(data, ReplicaStates(replicas=(held,)))

    def step(self) -> Change | None:
        """The next change."""
        action, step = next(self._steps)
        return change_students(self._data, WORKLOAD, step, author="job: soak", action=action, reason="the soak")

    def _first_live(self, before: Students) -> Students:
        return force(before, FIRST, share=100, fingerprints=self._prompts, now=this_moment())

    def _second_canary(self, before: Students) -> Students:
        return force(before, SECOND, share=_CANARY_SHARE, fingerprints=self._prompts, now=this_moment())

    def _settled(self, before: Students) -> Students:
        return settle(before, SECOND, now=this_moment())

    def _rolled_back(self, before: Students) -> Students:
        return roll_back(before, now=this_moment())

    def _to_teacher(self, before: Students) -> Students:
        return roll_back(before, to_teacher=True, now=this_moment())
