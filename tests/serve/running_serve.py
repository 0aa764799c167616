"""`nightschool serve` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightschool.registry.replicas import ReplicaState, read_replicas
from tests.running import write_config
from tests.waiting import until

NIGHTSCHOOL = Path(sys.executable).with_name("nightschool")


@dataclass(eq=False)
class RunningServe:
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    @property
    def states(self) -> tuple[ReplicaState, ...]:
        return read_replicas(self.data).replicas

    def wait_for(self, *adapters: str, ready: bool = True, within_s: float = 20.0) -> ReplicaState:
        """Until the one replica is ready with just these."""
        until(
            lambda: [(each.ready and not each.paused, each.adapters) for each in self.states] == [(ready, adapters)],
            what=f"a replica with {adapters}; there are {self.states}\n{self.log}",
            within_s=within_s,
        )
        return self.states[0]

    def reconfigure(self, config: Mapping[str, Any] | str) -> None:
        write_config(self.folder, config)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@contextmanager
def running_serve(config: Mapping[str, Any], folder: Path) -> Iterator[RunningServe]:
    file = write_config(folder, config)
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen([NIGHTSCHOOL, "serve", "--config", file], stdout=log, stderr=log, env=env)
    running = RunningServe(process, folder)
    try:
        yield running
        if process.poll() is None:
            running.stop()
        assert "Traceback" not in running.log, running.log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
