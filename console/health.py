"""Whether the other processes are there, and whether the disk is well: looked up, never asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from distill.schedule.due import schedules_of
from distill.schedule.leader import LOCK
from nightschool.config import Config
from nightschool.registry.replicas import ReplicaStates
from nightschool.registry.routing import registry_of
from nightschool.store.lock import is_locked
from nightschool.store.quarantine import list_quarantine

_LITTLE_BYTES = 1 << 30


class Process(NamedTuple):
    """One of those that nightschool is made of."""

    name: str
    runs: bool
    needed: bool
    told: str


def processes(config: Config, replicas: ReplicaStates) -> list[Process]:
    data = config.data
    proxy, scheduler = is_locked(data / "recorder.lock"), is_locked(registry_of(data) / LOCK)
    ready = sum(replica.ready for replica in replicas.replicas)
    serve = replicas.is_kept_up
    nights = schedules_of(config)
    return [
        Process("proxy", proxy, True, "records" if proxy else "nothing is recorded: start `nightschool proxy`"),
        Process(
            "serve",
            serve,
            bool(config.student.servers),
            f"{ready} of {len(replicas.replicas)} replicas ready" if serve else "no student can answer",
        ),
        Process(
            "scheduler",
            scheduler,
            bool(nights),
            f"{len(nights)} workloads have nights"
            if scheduler
            else "no night, no audit: start `nightschool scheduler`",
        ),
    ]


def cautions(data: Path) -> Iterator[str]:
    """What a person has to see to."""
    free = shutil.disk_usage(data).free
    if free < _LITTLE_BYTES:
        little = f"only {free / _LITTLE_BYTES:.2f} GiB are free for {data}"
        yield f"{little}: on a full disk exchanges are answered, not recorded"
    damaged = [path.name for path in list_quarantine(data)]
    if damaged:
        yield f"{len(damaged)} damaged files were set aside in quarantine: {', '.join(damaged[:3])}"
