"""The scheduler begins nights and audits, one leads, and nothing is begun twice or forgotten when one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from distill.night.standing import Standing
from distill.schedule.due import write_served
from nightschool.registry.change import change_students
from nightschool.registry.steps import force
from nightschool.store.durable import new_file
from tests.json_server import JsonHandler, serving
from tests.running import config_for, write_config
from tests.waiting import until

NOW = "2026-11-25T00:00:00+00:00"
YESTERDAY = datetime.now().astimezone() - timedelta(days=2)


class Office:
    """A folder with a configuration, and schedulers that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data, self.notes = folder, folder / "data", folder / "notes"
        self.data.mkdir()
        self.logs: list[Path] = []
        self.env: dict[str, str] = {}

    def configure(self, *workloads: str, schedule: str = "0 2 * * *") -> None:
        rules = {name: {"when": {"path": "*"}, "distill": {"schedule": schedule}} for name in workloads}
        write_config(self.folder, config_for("http://127.0.0.1:9/v1", workloads=rules))

    def does(self, what: str) -> None:
        Path(f"{self.notes}.does").write_text(what)

    @property
    def asked(self) -> list[str]:
        """What the stand-in was asked, in order."""
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [line.partition(" ")[2] for line in lines]

    @property
    def pids(self) -> list[int]:
        return [int(line.split()[0]) for line in self.notes.read_text().splitlines()]

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in self.logs)

    @contextmanager
    def scheduler(self) -> Iterator[subprocess.Popen[bytes]]:
        path = self.folder / f"scheduler-{len(self.logs)}.log"
        self.logs.append(path)
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.distill.schedule.scheduler",
            self.folder / "nightschool.yaml",
        ]
        with path.open("wb") as log:
            process = subprocess.Popen([*command, self.notes], stdout=log, stderr=log, env={**os.environ, **self.env})
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def interrupted(self, workload: str) -> None:
        """As a night that was killed leaves it."""
        standing = Standing(workload=workload, started=NOW, stage="train", since=NOW, pid=1)
        with new_file(self.data / "nights" / f"{workload}.json") as file:
            import msgspec

            file.write(msgspec.json.encode(standing))

    def put_live(self, **told: Any) -> None:
        change_students(
            self.data,
            "w",
            lambda before: force(before, "w--a", share=100, fingerprints=(), now=NOW),
            author="t",
            action="promote",
            reason="t",
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.configure("w")
    return office


def test_a_night_that_was_missed_begins_once_and_its_lines_are_in_the_log(office: Office) -> None:
    write_served(office.data, {"w": YESTERDAY})
    with office.scheduler():
        until(lambda: office.asked, what="a night")
        until(lambda: "night w | distill is at work" in office.log, what="its lines")
    with office.scheduler():
        until(lambda: office.log.count("night_planned workload=w") == 2, what="the second start")

    assert office.asked == ["distill w"]


def test_nights_of_several_workloads_run_one_after_the_other(office: Office) -> None:
    office.configure("w", "v")
    write_served(office.data, {"w": YESTERDAY, "v": YESTERDAY})
    office.does("sleep")
    with office.scheduler():
        until(lambda: office.asked, what="the first night")
        until(lambda: "v" in office.log, what="both planned")
        assert len(office.asked) == 1
        os.kill(office.pids[0], signal.SIGKILL)
        until(lambda: len(office.asked) == 2, what="the second night")

    assert sorted(office.asked) == ["distill v", "distill w"]


def test_a_night_that_was_killed_is_gone_on_with(office: Office) -> None:
    office.interrupted("w")
    with office.scheduler():
        until(lambda: office.asked == ["distill w"], what="the night again")


def test_a_night_whose_workload_is_gone_is_left_out(office: Office) -> None:
    office.interrupted("gone")
    with office.scheduler():
        until(lambda: "night_left_out workload=gone" in office.log, what="a line in the log")

    assert office.asked == []


def test_a_changed_configuration_is_taken_over_and_a_bad_one_is_not(office: Office) -> None:
    with office.scheduler():
        until(lambda: "night_planned workload=w" in office.log, what="the start")
        write_config(office.folder, "listen: nonsense")
        until(lambda: "config_refused" in office.log, what="the refusal")
        office.configure("w", "v", schedule="* * * * *")
        until(lambda: "night_planned workload=v schedule='* * * * *'" in office.log, what="the new one")


def test_an_audit_is_made_where_a_student_answers_and_nowhere_else(office: Office) -> None:
    with office.scheduler():
        until(lambda: "night_planned" in office.log, what="the start")
        office.put_live()
        until(lambda: "audit --config" in office.asked, what="an audit")

    assert "audit | " not in office.log


def test_a_night_that_fails_is_told_with_its_reason(office: Office) -> None:
    office.does("fail")
    write_served(office.data, {"w": YESTERDAY})
    with office.scheduler():
        until(
            lambda: "notification event=failure nightschool: the night of w failed: the disk is full" in office.log,
            what="the news",
        )


def test_a_webhook_hears_of_a_step_and_its_address_is_in_no_log(office: Office) -> None:
    heard = []

    class Handler(JsonHandler):
        def do_POST(self) -> None:
            heard.append((self.path, self.body()["event"]))
            self.send(200, {})

    with serving(Handler) as url:
        office.env = {"HOOK": f"{url}/secret-path"}
        config = config_for("http://127.0.0.1:9/v1", notify={"webhook": "${HOOK}"})
        write_config(office.folder, config)
        with office.scheduler():
            until(lambda: (office.data / "registry" / "notified.json").exists(), what="the first look")
            office.put_live()
            until(lambda: heard, what="a word")

    assert heard == [("/secret-path", "promote")]
    assert "secret-path" not in office.log


def test_one_that_waited_leads_by_the_configuration_as_it_is_then(office: Office) -> None:
    with office.scheduler() as first:
        until(lambda: "scheduler_leads" in office.log, what="a leader")
        with office.scheduler():
            until(lambda: "scheduler_waits" in office.log, what="a second that waits")
            first.kill()
            first.wait()
            office.configure("w", "v", schedule="1 2 * * *")
            until(lambda: "night_planned workload=v" in office.logs[1].read_text(), what="the new plan")


def test_of_two_schedulers_one_leads_and_when_it_is_killed_the_other_does(office: Office) -> None:
    with ExitStack() as running:
        first = running.enter_context(office.scheduler())
        until(lambda: "scheduler_leads" in office.log, what="a leader")
        running.enter_context(office.scheduler())
        until(lambda: f"scheduler_waits: process {first.pid} on " in office.log, what="a second that waits")
        assert office.log.count("scheduler_leads") == 1

        first.kill()
        until(lambda: office.log.count("scheduler_leads") == 2, within_s=5, what="another leader")


def test_a_night_that_still_ends_when_another_one_leads_is_waited_for_and_gone_on_with(office: Office) -> None:
    office.does("linger")
    write_served(office.data, {"w": YESTERDAY})
    with office.scheduler() as first:
        until(lambda: list((office.data / "nights").glob("*.json")), what="a night")
        with office.scheduler():
            until(lambda: "scheduler_waits" in office.log, what="a second scheduler")
            office.does("")
            first.kill()
            until(lambda: office.log.count("scheduler_leads") == 2, what="another leader")
            assert office.asked == ["distill w"]
            until(lambda: len(office.asked) == 3, within_s=60, what="the night again")

    assert office.asked == ["distill w", "ended w", "distill w"]
    assert "notification event=failure" not in office.log


def test_nights_that_ran_or_waited_when_it_was_ended_begin_at_the_next_start(office: Office) -> None:
    office.configure("v", "w")
    write_served(office.data, {"w": YESTERDAY, "v": YESTERDAY})
    office.does("sleep")
    with office.scheduler():
        until(lambda: office.asked == ["distill v"], what="the first night")
    office.does("")
    with office.scheduler():
        until(lambda: office.asked == ["distill v", "distill v", "distill w"], what="both nights")

    assert "Traceback" not in office.log


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL])
def test_its_jobs_end_with_it_and_nothing_is_told_as_failed(office: Office, way: signal.Signals) -> None:
    office.does("sleep")
    write_served(office.data, {"w": YESTERDAY})
    with office.scheduler() as process:
        until(lambda: office.asked, what="a night")
        job = psutil.Process(office.pids[0])
        process.send_signal(way)
        process.wait(30)
        job.wait(20)

    assert "notification event=failure" not in office.log
