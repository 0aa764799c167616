"""Which nights are due: told by the last time of the crontab line that was served, so that no jump of a clock, and no
restart, begins a night twice or loses one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from nightschool.config import Config
from nightschool.crontab import read_crontab
from nightschool.registry.routing import registry_of
from nightschool.store.durable import make_folder, new_file

FILE = "served.json"
_INSTANT = timedelta(seconds=1)
_IMPOSSIBLE = timedelta(days=7)
"""What was served so far ahead of now was served by a clock that was wrong."""


def schedules_of(config: Config) -> dict[str, str]:
    """The crontab line of each workload that has one."""
    return {
        name: workload.distill.schedule
        for name, workload in config.workloads.items()
        if workload.distill.schedule is not None
    }


def known(schedules: Mapping[str, str], served: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    """Up to when the times of each workload are served: one that is new begins to wait now, one that is gone is none.

    A clock that was set back does not make a time come twice: what was served stays served.
    """
    told = {name: served.get(name, now) for name in schedules}
    return {name: now if time > now + _IMPOSSIBLE else time for name, time in told.items()}


def due(schedule: str, served: datetime, now: datetime) -> bool:
    """Whether a time of the crontab line has come since the one that was served last; several count once."""
    return following(schedule, served + _INSTANT) <= now


def following(schedule: str, now: datetime) -> datetime:
    """When it is due next, if nothing was missed."""
    return read_crontab(schedule).next_time(now)


def read_served(data: Path) -> dict[str, datetime]:
    """Up to when the times of each workload were served; a file that cannot be read says nothing."""
    try:
        told = msgspec.json.decode((registry_of(data) / FILE).read_bytes(), type=dict[str, datetime])
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {name: time if time.tzinfo else time.replace(tzinfo=UTC) for name, time in told.items()}


def write_served(data: Path, served: Mapping[str, datetime]) -> None:
    make_folder(registry_of(data))
    with new_file(registry_of(data) / FILE) as file:
        file.write(msgspec.json.encode(dict(served)))
