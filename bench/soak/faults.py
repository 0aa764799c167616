"""The faults, done: to the configuration, the registry, the store, and to processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

from bench.soak.imports import Imports
from bench.soak.proxy_process import WORKERS, Proxy
from bench.soak.schedule import Due, Fault
from bench.soak.students import Promotions
from bench.soak.told import Outage
from bench.soak.upstream import UpstreamProcess

FROZEN_S = 1.5
"""Less than any limit of the proxy: such a pause may cost nobody an answer."""
AFTERMATH_S = 3.0
"""After the death of a process: its clients' last answers may be told so much later."""
_REPLACED_WITHIN_S = 60.0


class Faults:
    """Does what is due."""

    def __init__(
        self, proxy: Proxy, teacher: UpstreamProcess, student: UpstreamProcess, promotions: Promotions, imports: Imports
    ) -> None:
        self.done: Counter[Fault] = Counter()
        self.outages: list[Outage] = []
        self.imports = imports
        self._proxy = proxy
        self._revision = 0
        self._do: dict[Fault, Callable[[], object]] = {
            "good reload": self._reload,
            "bad reload": self._reload_badly,
            "student changes": promotions.step,
            "import and merge": imports.more,
            "teacher frozen": lambda: _freeze(teacher),
            "student frozen": lambda: _freeze(student),
            "student killed": lambda: self._kill_student(student),
            "worker killed": self._kill_worker,
            "recorder killed": lambda: os.kill(proxy.pid_of("recorder"), signal.SIGKILL),
        }

    async def run(self, due: list[Due]) -> None:
        """In threads: they wait for processes and disks, and what is done to a disk holds up nothing else."""
        async with asyncio.TaskGroup() as group:
            for stored in (False, True):
                lane = [each for each in due if (each.fault == "import and merge") is stored]
                group.create_task(self._one_by_one(lane))

    async def _one_by_one(self, due: list[Due]) -> None:
        begun = time.monotonic()
        for at_s, fault in due:
            await asyncio.sleep(max(0.0, begun + at_s - time.monotonic()))
            await asyncio.to_thread(self._do[fault])
            self.done[fault] += 1

    def _reload(self) -> None:
        self._revision += 1
        self._proxy.configure(revision=self._revision)

    def _reload_badly(self) -> None:
        """Refused; the next look at the file must find the one before again."""
        self._proxy.configure(revision=self._revision, unknown=True)
        time.sleep(FROZEN_S)
        self._proxy.configure(revision=self._revision)

    def _kill_student(self, student: UpstreamProcess) -> None:
        began = time.monotonic()
        student.kill()
        self.outages.append(Outage(began, time.monotonic() + AFTERMATH_S, "student"))
        student.start()

    def _kill_worker(self) -> None:
        began = time.monotonic()
        os.kill(self._proxy.pid_of("worker"), signal.SIGKILL)
        while list(self._proxy.processes().values()).count("worker") < WORKERS:
            if time.monotonic() - began > _REPLACED_WITHIN_S:
                return  # the check of processes tells of it
            time.sleep(0.05)
        self.outages.append(Outage(began, began + AFTERMATH_S, "worker"))


def _freeze(upstream: UpstreamProcess) -> None:
    upstream.signal(signal.SIGSTOP)
    time.sleep(FROZEN_S)
    upstream.signal(signal.SIGCONT)
