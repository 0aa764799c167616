"""The real proxy as processes of its own, and what can be seen of it from outside: answers, log, memory, store."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx
import psutil
import yaml

import nightschool
from tests.waiting import DEADLINE_S, until

START_S = 60.0
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
Row = dict[str, Any]


@dataclass(eq=False)
class RunningProxy:
    """A proxy that listens. ``folder`` holds its configuration file and, as ``data``, its data folder."""

    process: subprocess.Popen[str]
    folder: Path
    url: str = ""
    _lines: list[str] = field(default_factory=list, repr=False)

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes."""
        return f"{self.url}/v1"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """Everything that it and its children have printed so far."""
        return "".join(self._lines)

    def wait_for_log(self, pattern: str, *, since: int = 0) -> None:
        """Return once the log has a match for ``pattern`` behind its first ``since`` characters."""
        until(lambda: re.search(pattern, self.log[since:]), what=f"{pattern!r} in the log")

    def reconfigure(self, config: Mapping[str, Any] | str) -> None:
        """Replace the configuration file, as an editor does it."""
        write_config(self.folder, config)

    # processes

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    def worker(self) -> psutil.Process:
        """The process that answers requests, or the first of several."""
        return next(process for process in self.processes() if "proxy.worker" in " ".join(process.cmdline()))

    def stop(self, *, within_s: float = DEADLINE_S) -> int:
        """SIGTERM, as a service manager stops it; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """kill -9 for all of its processes at once."""
        processes = self.processes()
        for process in processes:  # the supervisor first, which would start the others again
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        psutil.wait_procs(processes[1:], timeout=DEADLINE_S)

    # what it tells

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels; 0 when there is none."""
        text = httpx.get(f"{self.url}/metrics", timeout=DEADLINE_S).raise_for_status().text
        series = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(value) for has, value in series if all(label in has for label in wanted))

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows of a query over the store, read beside the running proxy."""
        return rows(self.data, sql, parameters)

    def records(self, tag: str, count: int) -> list[Row]:
        """The exchanges with the tag ``test`` of that value, oldest first, once there are ``count`` of them."""
        sql = "SELECT * FROM exchanges WHERE tags['test'] = ? ORDER BY time, id"
        return self._polled(sql, [tag], count)

    def record(self, exchange_id: str | None) -> Row:
        """One exchange by the id that the client was told, once its answer is recorded too."""
        assert exchange_id is not None
        found = self._polled("SELECT * FROM exchanges WHERE id = ? AND status IS NOT NULL", [exchange_id], 1)
        return found[0]

    def _polled(self, sql: str, parameters: Sequence[object], count: int) -> list[Row]:
        found: list[Row] = []

        def complete() -> bool:
            found[:] = self.rows(sql, parameters)
            return len(found) >= count

        until(complete, what=f"{count} records for {parameters}")
        return found


def rows(data: Path, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
    """The rows of a query over a data folder, as dictionaries."""
    with nightschool.open_store(data) as store:
        cursor = store.execute(sql, parameters)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def write_config(folder: Path, config: Mapping[str, Any] | str) -> Path:
    """Write ``nightschool.yaml`` by rename, so that nobody ever reads half of it."""
    file = folder / "nightschool.yaml"
    unfinished = folder / ".nightschool.yaml.new"
    unfinished.write_text(config if isinstance(config, str) else yaml.safe_dump(dict(config), sort_keys=False))
    return unfinished.replace(file)


def config_for(upstream_url: str, **sections: Any) -> dict[str, Any]:
    """A configuration with the one upstream ``main`` and logs that are sealed quickly; ``sections`` go over it."""
    return {
        "listen": "127.0.0.1:0",
        "data": "data",
        "upstreams": {"main": {"base_url": upstream_url}},
        "record": {"segment_s": 1.0},
        "console": {"listen": "127.0.0.1:0"},
        **sections,
    }


@contextlib.contextmanager
def running_proxy(
    config: Mapping[str, Any] | str, folder: Path, *, env: Mapping[str, str] | None = None, quiet: bool = True
) -> Iterator[RunningProxy]:
    """Start ``nightschool proxy``, wait until it listens, stop it at the end; ``quiet``: its log has no traceback."""
    folder.mkdir(parents=True, exist_ok=True)
    process = start(write_config(folder, config), env or {})
    proxy = RunningProxy(process, folder)
    reader = threading.Thread(target=_read_lines, args=(process, proxy._lines))
    reader.start()
    processes: list[psutil.Process] = []
    try:
        proxy.url = _address(proxy)
        processes = proxy.processes()[1:]
        yield proxy
        if proxy.running:
            proxy.stop()
        assert not quiet or "Traceback" not in proxy.log, proxy.log
    finally:
        if proxy.running:
            proxy.kill()
        left = psutil.wait_procs(processes, timeout=DEADLINE_S)[1]
        for straggler in left:
            straggler.kill()
        reader.join()
    assert not left, f"outlived the proxy: {left}"


def start(
    file: Path, env: Mapping[str, str], *, command: str = "proxy", output: IO[bytes] | int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """The installed command, in a session of its own so that a Ctrl-C for the tests is none for it.

    It ends with the tests, however they are ended: a proxy left behind would burn the port and the core of the next.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("nightschool")), command, "--config", str(file)],
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        env={**inherited, "PYTHONUNBUFFERED": "1", **env},
        start_new_session=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )


def _end_with_parent() -> None:
    """In the child, before exec: SIGTERM when the tests die, even by SIGKILL."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _read_lines(process: subprocess.Popen[str], lines: list[str]) -> None:
    assert process.stdout is not None
    with process.stdout:
        lines.extend(process.stdout)


def _address(proxy: RunningProxy) -> str:
    deadline = time.monotonic() + START_S
    while (said := re.search(r"listening on (http://[^\s/]+)", proxy.log)) is None:
        if not proxy.running or time.monotonic() > deadline:
            raise AssertionError(f"the proxy did not start:\n{proxy.log}")
        time.sleep(0.01)
    return said[1]
