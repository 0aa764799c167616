"""`nightschool serve` makes replicas hold what the registry wants, whatever dies, and says what they hold."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nightschool.registry.change import change_students
from nightschool.registry.processor import processor_taken
from nightschool.registry.routing import FILE, registry_of
from nightschool.registry.steps import force, propose, roll_back
from tests.distill.evaluate.school import BASE_MODEL
from tests.fake_replica import FakeReplica, running_replica
from tests.running import config_for
from tests.serve.adapters import adapter
from tests.serve.fake_engine import program
from tests.serve.running_serve import NIGHTSCHOOL, RunningServe, running_serve
from tests.waiting import until

NOW = "2026-11-25T00:00:00+00:00"


@pytest.fixture
def server() -> Iterator[FakeReplica]:
    with running_replica(FakeReplica()) as server:
        yield server


def adopting(*urls: str) -> dict[str, Any]:
    return config_for("http://127.0.0.1:9/v1", student={"base_model": BASE_MODEL, "replicas": list(urls)})


@pytest.fixture
def with_engine(tmp_path: Path) -> Iterator[RunningServe]:
    """One that runs an engine on a free port."""
    with running_replica(FakeReplica()) as free:
        port = int(free.url.rsplit(":", 1)[1])
    with running_serve(running_engine(tmp_path, port), tmp_path) as running:
        yield running


def running_engine(folder: Path, port: int, **student: Any) -> dict[str, Any]:
    engine = {"python": str(program(folder)), "port": port}
    return config_for("http://127.0.0.1:9/v1", student={"base_model": BASE_MODEL, "engine": engine, **student})


def put_live(data: Path, name: str) -> None:
    change_students(
        data,
        "w",
        lambda before: force(before, name, share=100, fingerprints=("f",), now=NOW),
        author="test",
        action="promote",
        reason="test",
    )


def engine_port(running: RunningServe) -> int:
    return int(running.states[0].url.rsplit(":", 1)[1])


def engine_pid(running: RunningServe) -> int:
    return int(re.findall(r"engine_started url=\S+ pid=(\d+)", running.log)[-1])


def test_replicas_hold_what_the_registry_wants_and_what_can_be_rolled_back_to(
    tmp_path: Path, server: FakeReplica
) -> None:
    first, second, third = (adapter(tmp_path / "data", number).name for number in range(3))
    with running_serve(adopting(server.url), tmp_path) as running:
        running.wait_for()
        put_live(running.data, first)
        running.wait_for(first)
        put_live(running.data, second)
        running.wait_for(second, first)
        change_students(
            running.data, "w", lambda before: propose(before, third), author="t", action="propose", reason="t"
        )
        running.wait_for(second, third, first)
        change_students(
            running.data, "w", lambda before: roll_back(before, now=NOW), author="t", action="rollback", reason="t"
        )
        running.wait_for(first, third)

    assert server.loads == [first, second, third]


def test_a_routing_state_that_cannot_be_read_changes_nothing(tmp_path: Path, server: FakeReplica) -> None:
    name = adapter(tmp_path / "data", 1).name
    with running_serve(adopting(server.url), tmp_path) as running:
        put_live(running.data, name)
        running.wait_for(name)
        (registry_of(running.data) / FILE).write_text('{"format_version": 99}')

        until(lambda: "registry_refused" in running.log, what="a line in the log")
        running.wait_for(name)
        assert "has version 99" in running.log


def test_replicas_come_and_go_with_the_configuration_and_a_bad_one_changes_nothing(
    tmp_path: Path, server: FakeReplica
) -> None:
    with running_replica(FakeReplica()) as other, running_serve(adopting(server.url), tmp_path) as running:
        running.wait_for()
        running.reconfigure("listen: nonsense")
        until(lambda: "config_refused" in running.log, what="a line in the log")
        running.reconfigure(adopting(server.url, other.url))
        until(
            lambda: [(each.url, each.ready) for each in running.states] == [(server.url, True), (other.url, True)],
            what="two replicas",
        )


def test_what_no_server_depends_on_is_taken_over_without_one_being_started_anew(
    tmp_path: Path, with_engine: RunningServe
) -> None:
    name = adapter(with_engine.data, 1).name
    put_live(with_engine.data, name)
    with_engine.wait_for(name)
    pid, port = engine_pid(with_engine), engine_port(with_engine)

    price = {"input": 0.1, "output": 0.2}
    with_engine.reconfigure(running_engine(tmp_path, port, price=price, first_token_s=5.0))
    until(lambda: "config_reloaded" in with_engine.log, what="the new configuration")
    with_engine.wait_for(name)
    with_engine.reconfigure(running_engine(tmp_path, port, price=price, unload_after_s=60.0))
    until(lambda: with_engine.log.count("config_reloaded") == 2, what="another one")
    with_engine.wait_for(name)

    assert psutil.pid_exists(pid)
    assert with_engine.log.count("engine_started") == 1
    with_engine.reconfigure(
        running_engine(tmp_path, port, engine={"python": str(tmp_path / "python"), "port": port, "max_rank": 8})
    )
    until(lambda: with_engine.log.count("engine_started") == 2, what="an engine with other arguments")
    with_engine.wait_for(name)


def test_a_base_model_that_cannot_be_served_leaves_the_engine_as_it_is(
    tmp_path: Path, with_engine: RunningServe
) -> None:
    with_engine.wait_for()
    port = engine_port(with_engine)

    with_engine.reconfigure(running_engine(tmp_path, port, base_model="acme/Own-3B"))
    until(lambda: "student_refused" in with_engine.log, what="a line in the log")

    assert "no format is known for 'acme/Own-3B'" in with_engine.log
    with_engine.wait_for()
    with_engine.reconfigure(running_engine(tmp_path, port))
    until(lambda: with_engine.log.count("config_reloaded") == 2, what="the first configuration")
    with_engine.wait_for()
    assert with_engine.log.count("engine_started") == 1


def test_without_a_student_the_engine_ends_and_comes_back_with_one(tmp_path: Path, with_engine: RunningServe) -> None:
    with_engine.wait_for()
    engine, port = psutil.Process(engine_pid(with_engine)), engine_port(with_engine)

    with_engine.reconfigure(config_for("http://127.0.0.1:9/v1"))
    until(lambda: with_engine.states == (), what="no replica")
    assert not engine.is_running()
    assert "nothing_to_serve" in with_engine.log

    with_engine.reconfigure(running_engine(tmp_path, port))
    with_engine.wait_for()


def test_an_adapter_that_cannot_be_read_is_told_once_and_the_others_answer(tmp_path: Path, server: FakeReplica) -> None:
    good, bad = adapter(tmp_path / "data", 1).name, "b" * 300  # longer than a file can be called
    with running_serve(adopting(server.url), tmp_path) as running:
        put_live(running.data, good)
        change_students(
            running.data, "v", lambda before: propose(before, bad), author="t", action="propose", reason="t"
        )
        running.wait_for(good)
        until(lambda: bad in running.states[0].faults, what="a fault")

        assert "cannot be read" in running.states[0].faults[bad]
        assert running.log.count("adapter_not_loaded") == 1
        running.wait_for(good)


def test_an_engine_that_is_killed_comes_back_with_its_adapters(tmp_path: Path, with_engine: RunningServe) -> None:
    name = adapter(with_engine.data, 1).name
    put_live(with_engine.data, name)
    with_engine.wait_for(name)
    before = engine_pid(with_engine)

    os.kill(before, signal.SIGKILL)

    until(lambda: engine_pid(with_engine) != before, what="another engine")
    with_engine.wait_for(name)
    assert "child_died name=engine code=-9" in with_engine.log


def test_an_engine_that_cannot_start_is_told_from_one_that_is_slow(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text('#!/bin/sh\n[ -e "$0.died" ] && exec sleep 60\ntouch "$0.died"\nexit 3\n')
    broken.chmod(0o755)
    student = {"base_model": BASE_MODEL, "engine": {"python": str(broken)}}

    with running_serve(config_for("http://127.0.0.1:9/v1", student=student), tmp_path) as running:
        until(
            lambda: any("the one before ended with status 3" in (each.why or "") for each in running.states),
            what="what became of the first start",
        )


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL])
def test_the_engine_ends_with_it_however_that_ends(with_engine: RunningServe, way: signal.Signals) -> None:
    with_engine.wait_for()
    engine = psutil.Process(engine_pid(with_engine))

    with_engine.process.send_signal(way)
    with_engine.process.wait(40)

    engine.wait(20)
    if way is signal.SIGTERM:
        assert [(each.ready, each.why) for each in with_engine.states] == [(False, "its engine was stopped")]


def test_while_a_training_run_has_the_processor_the_engine_rests(tmp_path: Path, with_engine: RunningServe) -> None:
    name = adapter(with_engine.data, 1).name
    put_live(with_engine.data, name)
    with_engine.wait_for(name)
    engine = psutil.Process(engine_pid(with_engine))

    with processor_taken(with_engine.data, patience_s=30):
        assert [each.paused for each in with_engine.states] == [True]
        assert not engine.is_running()

    with_engine.wait_for(name)


def test_a_replica_that_was_adopted_sleeps_meanwhile(tmp_path: Path, server: FakeReplica) -> None:
    with running_serve(adopting(server.url), tmp_path) as running:
        running.wait_for()
        with processor_taken(running.data, patience_s=30):
            assert server.asleep
        until(lambda: not server.asleep, what="a server that is awake")
        running.wait_for()


def test_a_training_run_does_not_wait_where_nobody_serves(tmp_path: Path) -> None:
    with processor_taken(tmp_path, patience_s=0):
        pass


def test_a_second_one_is_refused(tmp_path: Path, server: FakeReplica) -> None:
    with running_serve(adopting(server.url), tmp_path) as running:
        running.wait_for()
        second = subprocess.run(
            [NIGHTSCHOOL, "serve", "--config", tmp_path / "nightschool.yaml"], capture_output=True, text=True
        )

    assert second.returncode == 1
    assert "another `nightschool serve` looks after the replicas" in second.stderr


def test_without_anything_to_serve_with_it_says_what_to_configure(tmp_path: Path) -> None:
    with running_serve(config_for("http://127.0.0.1:9/v1"), tmp_path) as running:
        assert running.process.wait(20) == 1
        assert "there is nothing to serve with" in running.log
