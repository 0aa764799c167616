"""`nightschool up` runs everything, brings back what dies, and ends all with one signal."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.distill.evaluate.school import BASE_MODEL
from tests.fake_replica import FakeReplica, running_replica
from tests.running import config_for, write_config
from tests.waiting import until

NIGHTSCHOOL = Path(sys.executable).with_name("nightschool")


@contextmanager
def up(config: Mapping[str, Any], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [NIGHTSCHOOL, "up", "--config", write_config(folder, config)], stdout=log, stderr=log, env=env
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def child(process: subprocess.Popen[bytes], name: str) -> psutil.Process | None:
    """None while it is started again."""
    for each in psutil.Process(process.pid).children():
        with suppress(psutil.NoSuchProcess):
            if f"main() {name} --config" in " ".join(each.cmdline()):
                return each
    return None


def test_all_processes_run_what_is_killed_comes_back_and_one_signal_ends_them_all(tmp_path: Path) -> None:
    with running_replica(FakeReplica()) as replica:
        config = config_for("http://127.0.0.1:9/v1", student={"base_model": BASE_MODEL, "replicas": [replica.url]})
        log = tmp_path / "log"
        with up(config, tmp_path) as process:
            until(lambda: re.search(r"proxy     \| .*listening on (\S+)", log.read_text()), what="a proxy")
            until(lambda: "serve     |" in log.read_text(), what="a serve process")
            until(lambda: "scheduler_leads" in log.read_text(), what="a scheduler")
            serve = child(process, "serve")
            assert serve is not None
            url = re.findall(r"listening on (\S+)", log.read_text())[0]
            assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200

            serve.kill()
            until(lambda: child(process, "serve") not in (None, serve), what="another serve process")
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert psutil.wait_procs(children, timeout=10)[1] == []


def test_killed_itself_it_leaves_nothing_behind(tmp_path: Path) -> None:
    with up(config_for("http://127.0.0.1:9/v1"), tmp_path) as process:
        until(lambda: "scheduler_leads" in (tmp_path / "log").read_text(), what="a scheduler")
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()

        assert len(children) >= 2
        left = psutil.wait_procs(children, timeout=90)[1]  # a proxy may take drain_s and then some
        assert [each.cmdline() for each in left] == []


def test_a_proxy_that_cannot_start_ends_it_with_its_reason(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with up(config_for("http://127.0.0.1:9/v1", listen=address), tmp_path) as process:
            assert process.wait(60) == 1

    assert f"cannot listen on {address}" in (tmp_path / "log").read_text()


def test_without_replicas_nothing_serves(tmp_path: Path) -> None:
    with up(config_for("http://127.0.0.1:9/v1"), tmp_path) as process:
        until(lambda: "scheduler_leads" in (tmp_path / "log").read_text(), what="a scheduler")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

    assert "serve" not in (tmp_path / "log").read_text()


def test_replicas_that_are_configured_later_are_served(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running_replica(FakeReplica()) as replica, up(config_for("http://127.0.0.1:9/v1"), tmp_path) as process:
        until(lambda: "scheduler_leads" in log.read_text(), what="a scheduler")
        assert child(process, "serve") is None

        student = {"base_model": BASE_MODEL, "replicas": [replica.url]}
        write_config(tmp_path, config_for("http://127.0.0.1:9/v1", student=student))
        ready = f"replica url={replica.url} ready=True"
        until(lambda: re.search(rf"serve     \| .*{ready}", log.read_text()), what="a replica that is ready")

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
