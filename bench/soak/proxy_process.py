"""The proxy of the soak as a user runs it, its configuration, and its processes by what they do."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from bench.proxy import process
from bench.proxy.child import Child
from bench.soak.requests import MODEL, TAUGHT_MODEL, WORKLOAD

WORKERS = 2
FIRST_BYTE_S, IDLE_S = 6.0, 5.0
FIRST_TOKEN_S = 2.0
_ENDS_WITHIN_S = 60.0


class Proxy:
    """Runs from the beginning; ended by ``stack`` at the latest."""

    def __init__(self, stack: ExitStack, teacher_url: str, folder: Path) -> None:
        self.folder = folder
        self._teacher_url = teacher_url
        self.configure()
        command = [str(Path(sys.executable).with_name("nightschool")), "proxy", "--config", str(self.file)]
        self._child = stack.enter_context(
            Child(command, cores=os.sched_getaffinity(0), log=folder / "nightschool.log", env={"PYTHONUNBUFFERED": "1"})
        )
        self.url = self._child.wait_for(r"listening on (http://\S+)", within_s=60)[1]

    @property
    def file(self) -> Path:
        return self.folder / "nightschool.yaml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return self._child.log.read_text(errors="replace")

    def configure(self, *, revision: int = 0, unknown: bool = False) -> None:
        """Replace the configuration, as an editor does it; one with an ``unknown`` key is refused."""
        unfinished = self.file.with_suffix(".new")
        said = config_for(self._teacher_url, revision=revision) | ({"no_such_key": revision} if unknown else {})
        unfinished.write_text(json.dumps(said, indent=1))  # JSON is YAML
        unfinished.replace(self.file)

    def processes(self) -> dict[int, str]:
        """What each process does that runs now, by its id."""
        found = {self._child.pid: "supervisor"}
        for pid in process.descendants(self._child.pid):
            try:
                command = process.command_line(pid)
            except OSError:  # ended since
                continue
            for module, role in (("proxy.worker", "worker"), ("proxy.recorder", "recorder")):
                if module in command:
                    found[pid] = role
        return found

    def pid_of(self, role: str) -> int:
        """The oldest of them."""
        return min(pid for pid, found in self.processes().items() if found == role)

    def metric(self, name: str, **labels: str) -> float:
        """The sum over all series that have these labels."""
        page = httpx.get(f"{self.url}/metrics", timeout=10, trust_env=False).raise_for_status().text
        return sum_of(page, name, labels)

    def stop(self) -> int:
        """SIGTERM, as a service manager does it; the exit code."""
        self._child.popen.send_signal(signal.SIGTERM)
        return self._child.popen.wait(_ENDS_WITHIN_S)


def sum_of(page: str, name: str, labels: Mapping[str, str]) -> float:
    """Of a metric on a page of Prometheus text."""
    series = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", page, re.MULTILINE)
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(float(value) for has, value in series if all(each in has for each in wanted))


def config_for(teacher_url: str, *, revision: int) -> dict[str, Any]:
    """Revisions differ in what a running proxy takes over: prices, a workload, a pause."""
    return {
        "listen": "127.0.0.1:0",
        "workers": WORKERS,
        "data": "data",
        "upstreams": {"teacher": {"base_url": f"{teacher_url}/v1", "keepalive_s": 1.0}},
        "timeouts": {"connect_s": 5.0, "first_byte_s": FIRST_BYTE_S, "idle_s": IDLE_S + revision % 2},
        "student": {"first_token_s": FIRST_TOKEN_S},
        "prices": {f"{MODEL}*": {"input": 1.0 + revision % 7, "output": 4.0}},
        "workloads": {
            WORKLOAD: {"when": {"model": TAUGHT_MODEL}},
            f"other-{revision % 3}": {"when": {"model": "nobody-asks-for-this"}},
        },
        "record": {"segment_s": 2.0},
        "drain_s": 10,
        "console": {"listen": "127.0.0.1:0"},
    }
