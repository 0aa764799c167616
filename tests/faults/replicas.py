"""A replica as a process of its own, which can be killed, stopped and started again, and a registry that names it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from nightschool.registry.change import change_students
from nightschool.registry.replicas import ReplicaState, ReplicaStates, write_replicas
from nightschool.registry.steps import force
from nightschool.wire import json_text
from nightschool.wire.fingerprint import fingerprint
from nightschool.wire.request import read_request
from tests.waiting import until

WORKLOAD = "cities"
ADAPTER = "slow"
"""By this name the scripted upstream takes its time over every event, so that a kill meets answers on their way."""


class ReplicaProcess:
    """The scripted upstream as a program on one port."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "demo.scripted_upstream", "--port", str(self._port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        until(self._healthy, what="a replica that listens")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It takes connections and says nothing."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def _healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=1.0, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def replica_process() -> Iterator[ReplicaProcess]:
    replica = ReplicaProcess()
    replica.start()
    try:
        yield replica
    finally:
        replica.kill()


def fingerprints(requests: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Of the prompts of these."""
    prompts = [fingerprint(body) for request in requests if (body := read_request(json_text.encode(request)))]
    return tuple({prompt for prompt in prompts if prompt is not None})


def put_live(data: Path, adapter: str, requests: list[dict[str, Any]], *urls: str) -> None:
    """Let the adapter answer all prompts like these, at these replicas."""
    qualified = fingerprints(requests)
    states = [ReplicaState(url=url, ready=True, max_model_len=2048, adapters=(adapter,)) for url in urls]
    write_replicas(data, ReplicaStates(replicas=tuple(states)))
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    change_students(
        data,
        WORKLOAD,
        lambda before: force(before, adapter, share=100, fingerprints=qualified, now=now),
        author="test",
        action="promote",
        reason="a test",
    )
