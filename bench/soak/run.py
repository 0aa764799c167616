"""A soak from its beginning to its end: start, load with faults beside it, rest, stop, look."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.proxy.port import free_port
from bench.soak import checks
from bench.soak.checks import Check, Counts, Leftovers
from bench.soak.faults import Faults
from bench.soak.imports import Imports
from bench.soak.load import Ledger, Load
from bench.soak.proxy_process import Proxy
from bench.soak.schedule import schedule
from bench.soak.stored import held_in
from bench.soak.students import Promotions
from bench.soak.told import unexpected
from bench.soak.upstream import UpstreamProcess
from bench.soak.watch import Watch, Watched, descriptors_by_role, settled

RESTS_WITHIN_S = 30.0
_WARM_S = 2.0
_REST_S = 4.0
"""Longer than the proxy keeps idle connections."""


class Plan(NamedTuple):
    """What is done."""

    seconds: float
    rate: float
    """Questions a second."""
    seed: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    seconds: float
    seed: int
    asked: int
    by_kind: dict[str, int]
    by_end: dict[str, int]
    """Whole, cut, … with the status."""
    faults: dict[str, int]
    merges: int
    held_back: int
    most_open: int
    excused: int
    """Requests that failed because the process that answered them was killed."""
    checks: list[Check]
    watched: list[Watched]

    @property
    def met(self) -> bool:
        return all(check.met for check in self.checks)


def soak(plan: Plan, folder: Path) -> Result:
    """Everything that is started is ended, whatever happens."""
    with ExitStack() as stack:
        teacher, student = _upstreams(stack, folder)
        (folder / "data").mkdir()
        proxy = Proxy(stack, teacher.url, folder)
        promotions = Promotions(proxy.data, student.url)
        promotions.step()
        faults = Faults(proxy, teacher, student, promotions, Imports(proxy.data))
        return _Soak(plan, proxy, faults).run()


def _upstreams(stack: ExitStack, folder: Path) -> tuple[UpstreamProcess, UpstreamProcess]:
    teacher, student = (UpstreamProcess(name, free_port(), folder) for name in ("teacher", "student"))
    for each in (teacher, student):
        stack.callback(each.end)
        each.start()
    return teacher, student


class _Soak:
    def __init__(self, plan: Plan, proxy: Proxy, faults: Faults) -> None:
        self._plan = plan
        self._proxy = proxy
        self._faults = faults
        self._ledger = Ledger()
        self._watch = Watch(proxy)

    def run(self) -> Result:
        plan, proxy = self._plan, self._proxy
        asyncio.run(Load(proxy.url, self._ledger, rate=plan.rate, seed=plan.seed + 1).run(_WARM_S))
        time.sleep(_REST_S)
        before = descriptors_by_role(proxy)
        asyncio.run(self._under_load())
        left = self._at_rest(before)
        counts = self._stopped()
        held = held_in(proxy.data)
        ledger, faults = self._ledger, self._faults
        found = [
            *checks.of_answers(ledger, faults.outages),
            *checks.of_store(ledger, held, faults.imports, faults.outages),
            *checks.of_processes(self._watch.processes),
            *checks.of_leftovers(left),
            *checks.of_counts(counts, faults.done),
        ]
        return self._result(found)

    async def _under_load(self) -> None:
        plan = self._plan
        load = Load(self._proxy.url, self._ledger, rate=plan.rate, seed=plan.seed)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._watch.run(plan.seconds)), group.create_task(self._tell())]
            faults = group.create_task(self._faults.run(schedule(plan.seconds, plan.seed)))
            await load.run(plan.seconds)
            await faults
            for task in beside:
                task.cancel()

    async def _tell(self) -> None:
        """Progress, for whoever waits."""
        begun = time.monotonic()
        while True:
            await asyncio.sleep(30)
            told, done = len(self._ledger.told), sum(self._faults.done.values())
            print(f"[{time.monotonic() - begun:4.0f} s] {told:,} answers, {done} faults", file=sys.stderr, flush=True)

    def _at_rest(self, before: dict[str, int]) -> Leftovers:
        """As soon as all is as at the start, or when that takes too long."""
        end = time.monotonic() + RESTS_WITHIN_S
        time.sleep(_REST_S)
        while True:
            left = Leftovers(
                before, descriptors_by_role(self._proxy), int(self._proxy.metric("nightschool_open_requests"))
            )
            rested = settled(left.after, before, allowed=checks.ALLOWED_DESCRIPTORS) and not left.open_requests
            if rested or time.monotonic() > end:
                return left
            time.sleep(1.0)

    def _stopped(self) -> Counts:
        proxy = self._proxy
        lost, good, bad = (
            int(proxy.metric(name, **labels))
            for name, labels in (
                ("nightschool_records_lost_total", {}),
                ("nightschool_config_reloads_total", {"result": "taken_over"}),
                ("nightschool_config_reloads_total", {"result": "refused"}),
            )
        )
        code = proxy.stop()
        left = len(list((proxy.data / "wal").glob("*.wal")))
        return Counts(lost, good, bad, proxy.log.count("Traceback"), code, left)

    def _result(self, found: list[Check]) -> Result:
        told, faults = self._ledger.told, self._faults
        return Result(
            seconds=self._plan.seconds,
            seed=self._plan.seed,
            asked=len(told),
            by_kind=dict(Counter(each.kind for each in told).most_common()),
            by_end=dict(Counter(f"{each.end} {each.status}" for each in told).most_common()),
            faults={str(fault): count for fault, count in faults.done.items()},
            merges=faults.imports.merged,
            held_back=self._ledger.held_back,
            most_open=self._watch.most_open,
            excused=sum(bool(unexpected(each, ())) for each in told)
            - sum(bool(unexpected(each, faults.outages)) for each in told),
            checks=found,
            watched=list(self._watch.processes.values()),
        )
