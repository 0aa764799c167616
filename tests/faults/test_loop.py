"""The loop converges whatever is killed at whatever moment, and clients notice nothing of what happens to students."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from demo.scripted_upstream import ScriptedUpstream
from demo.tiny_model import make_tiny_model
from nightschool.registry.adapters import adapters_of
from nightschool.registry.change import change_students, read_history
from nightschool.registry.replicas import read_replicas
from nightschool.registry.routing import read_routing
from nightschool.registry.steps import force, roll_back
from tests.distill.audit.teacher import running_teacher
from tests.distill.evaluate.school import BASE_MODEL
from tests.faults.replicas import fingerprints
from tests.faults.test_students import KINDS, Load, load_on
from tests.running import RunningProxy, config_for, running_proxy
from tests.serve.adapters import adapter
from tests.serve.fake_engine import program
from tests.serve.running_serve import NIGHTSCHOOL, RunningServe, running_serve
from tests.waiting import until

WORKLOAD = "w"
NOW = "2026-11-25T00:00:00+00:00"
STAGES = ("dataset", "train", "load", "evaluate", "gate", "promote")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def student(folder: Path, base_model: str) -> dict[str, Any]:
    engine = {"python": str(program(folder)), "port": free_port()}
    return {"base_model": base_model, "engine": engine, "first_token_s": 2.0}


def change(data: Path, step: Any, action: str) -> None:
    change_students(data, WORKLOAD, step, author="test", action=action, reason="test")


def put_live(data: Path, name: str) -> None:
    change(
        data,
        lambda before: force(before, name, share=100, fingerprints=fingerprints(KINDS), now=NOW),
        "promote",
    )


def engine_pid(serve: RunningServe) -> int:
    return int(re.findall(r"engine_started url=\S+ pid=(\d+)", serve.log)[-1])


@pytest.mark.alone
def test_no_request_fails_while_students_come_and_go_the_engine_is_killed_and_the_proxy_reloads(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    config = config_for(
        upstream.base_url,
        timeouts={"idle_s": 2.0},
        student=student(tmp_path, BASE_MODEL),
        workloads={WORKLOAD: {"when": {"model": "gpt-4o"}, "escalate": {"streams": "hold"}}},
    )
    first, second = (adapter(tmp_path / "data", number).name for number in (1, 2))
    with (
        running_proxy(config, tmp_path) as proxy,
        running_serve(config, tmp_path) as serve,
        load_on(proxy) as load,
    ):
        put_live(proxy.data, first)
        until(partial(load.has_met, "live"), what="a student that answers")
        put_live(proxy.data, second)
        until(lambda: answered_by(proxy, second), what="the second one")
        for _ in range(2):
            os.kill(engine_pid(serve), signal.SIGKILL)
            killed = time.monotonic()
            until(partial(load.has_met, "no_replica", since=killed), what="no replica")
            until(partial(load.has_met, "live", since=killed + 0.5), what="the student again")
        proxy.reconfigure({**config, "prices": {"m": {"input": 1, "output": 1}}})
        proxy.wait_for_log("config_reloaded")
        rolled_back = time.monotonic()
        change(proxy.data, lambda before: roll_back(before, to_teacher=True, now=NOW), "rollback")
        until(partial(load.has_met, "rule", since=rolled_back), what="the teacher")
        time.sleep(2.0)
        load.stop()

        assert [each for each in load.asked if each.failure] == []
        follows_s = last_student(load) - rolled_back
        rate = len(load.asked) / (load.asked[-1].ended - load.asked[0].began)
        print(f"{len(load.asked)} requests at {rate:.0f}/s, none failed; rollback followed after {follows_s:.2f} s")
        assert follows_s <= 2.0


def answered_by(proxy: RunningProxy, name: str) -> bool:
    return bool(proxy.rows("SELECT 1 FROM exchanges WHERE adapter = ? LIMIT 1", [name]))


def last_student(load: Load) -> float:
    """When the last request began that a student answered."""
    return max(each.began for each in load.asked if each.reason == "live")


class Loop:
    """Proxy, serve and a teacher that always says the same, over one folder."""

    def __init__(self, proxy: RunningProxy, serve: RunningServe) -> None:
        self.proxy, self.serve, self.sent = proxy, serve, 0

    @property
    def data(self) -> Path:
        return self.proxy.data

    def ask(self, count: int) -> None:
        with openai.OpenAI(base_url=self.proxy.base_url, api_key="none", max_retries=2, timeout=30) as client:
            for number in range(self.sent, self.sent + count):
                question: Any = [{"role": "user", "content": f"Is it {number}?"}]
                answer = client.chat.completions.create(model="m", messages=question, max_tokens=20)
                assert answer.choices[0].message.content in ("yes it is", "yes it is ")
        self.sent += count

    def command(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [NIGHTSCHOOL, *words, "--config", self.proxy.folder / "nightschool.yaml"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> str:
        with self.command(*words) as process:
            told, _ = process.communicate(timeout=240)
        assert process.returncode == 0, told
        return told

    def killed_at(self, stage: str) -> bool:
        """Begin a night and kill it with all that it has started, as soon as it is at this stage; false if it ends."""
        standing = self.data / "nights" / f"{WORKLOAD}.json"
        with self.command("distill", WORKLOAD) as night:
            while night.poll() is None:
                if standing.exists() and f'"stage":"{stage}"' in standing.read_text():
                    family = [psutil.Process(night.pid), *psutil.Process(night.pid).children(recursive=True)]
                    for each in family:
                        each.kill()
                    night.wait()
                    psutil.wait_procs(family, timeout=20)
                    return True
                time.sleep(0.002)
        return False


@contextmanager
def loop(folder: Path) -> Iterator[Loop]:
    base = make_tiny_model(folder / "tiny")
    with running_teacher(lambda body: {"role": "assistant", "content": "yes it is"}) as teacher:
        config = config_for(
            teacher.url,
            student=student(folder, str(base)),
            workloads={
                WORKLOAD: {
                    "when": {"model": "m"},
                    "distill": {"min_examples": 20, "test_share": 0.3, "epochs": 1, "rank": 8, "batch_examples": 8},
                    "evaluate": {"scorer": "exact", "few_shot": 0},
                    "promote": {
                        "min_rows": 10, "nights": 1, "margin": 0.3, "ramp": [50, 100], "step_audits": 3,
                        "audit": 100, "teacher_share": 0, "slices": {"min_rows": 1000},
                        "guards": {"cost_ratio": None},
                    },
                }
            },
        )  # fmt: skip
        with running_proxy(config, folder) as proxy, running_serve(config, folder) as serve:
            yield Loop(proxy, serve)


@pytest.mark.timeout(600)
def test_whatever_is_killed_at_each_stage_the_loop_converges(tmp_path: Path) -> None:
    with loop(tmp_path) as town:
        town.ask(90)
        met = []
        for stage in STAGES:
            os.kill(town.proxy.worker().pid, signal.SIGKILL)
            if town.killed_at(stage):
                met.append(stage)
            with suppress(ProcessLookupError):  # it may be on its way up
                os.kill(engine_pid(town.serve), signal.SIGKILL)
            town.ask(2)
        town.run("distill", WORKLOAD)

        assert {"dataset", "train", "load", "evaluate"} <= set(met)  # the others are over in no time
        (made,) = adapters_of(town.data, WORKLOAD)[-1:]
        students = read_routing(town.data).students_of(WORKLOAD)
        assert [(each.adapter, each.share) for each in students.answering()] == [(made.name, 50.0)]

        while read_routing(town.data).students_of(WORKLOAD).stage != "live":
            town.ask(6)
            town.run("audit", WORKLOAD)
        until(lambda: read_replicas(town.data).ready_with(made.name), what="a replica with it")
        time.sleep(2.0)
        town.ask(5)

        rows = town.proxy.rows("SELECT count(*) AS n FROM exchanges WHERE adapter = ? AND reason = 'live'", [made.name])
        assert rows[0]["n"] >= 5
        revisions = [change.revision for change in read_history(town.data)]
        assert revisions == sorted(set(revisions))
