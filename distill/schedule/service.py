"""`nightschool scheduler`: nights by the clock, audits every few seconds, news to whom they matter.

    leader lock -> APScheduler: look | nights | audits | news, a thread each -> stop

Every job is a command that a person could type, in a process of its own. One night runs at a time: they share a
processor.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from distill.schedule.due import following, schedules_of
from distill.schedule.job import Job
from distill.schedule.leader import leading
from distill.schedule.nights import Nights
from distill.schedule.notify import Notifier
from nightschool.config import Config, find_config, load_config
from nightschool.config.follow import Followed
from nightschool.errors import NightschoolError
from nightschool.logs import configure_logging
from nightschool.registry.routing import Students, read_routing
from nightschool.stop import Stop

LOOK_EVERY_S = 1
AUDIT_EVERY_S = 10
SHADOW_EVERY_S = 60
_STOP_AGAIN_S = 0.05

log = logging.getLogger("nightschool.scheduler")


def schedule(config_path: Path | None, program: Sequence[str | Path]) -> int:
    """Until SIGTERM or Ctrl-C; returns the exit code. ``program``: the words before a command's name."""
    configure_logging()
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it tells of every run that is still at work
    path = find_config(config_path, os.environ).resolve()
    config, followed = load_config(path, os.environ), Followed(path, os.environ)
    stop = Stop()
    stop.on_signals()
    with leading(config.data, stop) as leads:
        if leads:
            _Scheduler(config, followed, [*program], path).run(stop)
    return 0


class _Scheduler:
    def __init__(self, config: Config, followed: Followed, program: Sequence[str | Path], path: Path) -> None:
        self._config, self._followed = config, followed
        self._program, self._path = program, path
        self._notifier, self._nights = Notifier(config.data), Nights(config.data)
        self._jobs: set[Job] = set()
        self._stopping = False
        self._said: dict[str, str] = {}
        """What each job that comes often failed of, the last time."""
        self._scheduler = BackgroundScheduler(
            executors={name: ThreadPoolExecutor(1) for name in ("default", "nights", "audits", "shadows", "news")},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def run(self, stop: Stop) -> None:
        add = self._scheduler.add_job
        add(self._look, "interval", seconds=LOOK_EVERY_S, id="look")
        add(self._audit, "interval", seconds=AUDIT_EVERY_S, id="audit", executor="audits")
        add(self._shadow, "interval", seconds=SHADOW_EVERY_S, id="shadow", executor="shadows")
        add(self._tell, "interval", seconds=LOOK_EVERY_S, id="news", executor="news")
        self._scheduler.start()
        self._say_when()
        stop.wait_long()
        self._stopping = True
        self._scheduler.remove_all_jobs()
        while self._jobs:  # one may be about to begin
            for job in list(self._jobs):
                job.stop()
            time.sleep(_STOP_AGAIN_S)
        self._scheduler.shutdown(wait=True)

    def _look(self) -> None:
        """Take over a changed configuration, and begin the nights that are to; one waits behind the one that runs."""
        changed = self._followed.look()
        if changed is not None and changed.data != self._config.data:
            log.warning("config_needs_restart keys=data")
        elif changed is not None:
            self._config = changed
            log.info("config_reloaded path=%s", self._followed.path)
            self._say_when()
        for workload in self._nights.to_begin(schedules_of(self._config), datetime.now().astimezone()):
            self._scheduler.add_job(self._night, args=[workload], executor="nights")

    def _night(self, workload: str) -> None:
        try:
            self._make_night(workload)
        finally:
            if not self._stopping:  # one that we have ended is due again
                self._nights.ended(workload)

    def _make_night(self, workload: str) -> None:
        if workload not in self._config.workloads:
            log.info("night_left_out workload=%s is not in the configuration any more", workload)
            return
        log.info("night_begins workload=%s", workload)
        job = Job(f"night {workload}", [*self._program, "distill", workload, "--config", self._path])
        if (code := self._run(job)) != 0:
            self._notifier.failed(f"the night of {workload}", workload, _why(job, code))

    def _audit(self) -> None:
        """Where a student answers."""
        if any(each.answering() or each.next_up is not None for each in self._students().values()):
            self._often("audit")

    def _shadow(self) -> None:
        """Where a candidate waits for more rows, and is to get them."""
        shadowed = {name for name, each in self._students().items() if each.stage == "evaluating"}
        if any(self._config.promote_of(name).shadow for name in shadowed):
            self._often("shadow")

    def _students(self) -> Mapping[str, Students]:
        try:
            return read_routing(self._config.data).workloads
        except NightschoolError as error:
            log.error("registry_refused %s", error)
            return {}

    def _often(self, command: str) -> None:
        """A job that comes again soon: the same failure is told once."""
        job = Job(command, [*self._program, command, "--config", self._path])
        code = self._run(job, quiet=True)
        said = _why(job, code) if code else ""
        if said and said != self._said.get(command):
            self._notifier.failed(f"the {command}", None, said)
        self._said[command] = said

    def _tell(self) -> None:
        try:
            self._notifier.tell(self._config.notify)
        except NightschoolError as error:
            log.error("registry_refused %s", error)

    def _run(self, job: Job, *, quiet: bool = False) -> int:
        """0 where it was us who ended it."""
        self._jobs.add(job)
        try:
            code = 0 if self._stopping else job.run(quiet=quiet)
        finally:
            self._jobs.discard(job)
        return 0 if self._stopping else code

    def _say_when(self) -> None:
        now = datetime.now().astimezone()
        for workload, line in schedules_of(self._config).items():
            log.info("night_planned workload=%s schedule=%r next=%s", workload, line, following(line, now))


def _why(job: Job, code: int) -> str:
    told = [line for line in job.last_lines if line.startswith("nightschool: ")]
    return told[-1].removeprefix("nightschool: ") if told else f"it ended with status {code}"
