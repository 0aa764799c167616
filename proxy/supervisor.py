"""`nightschool proxy`: binds the port, starts the workers and the recorder, and keeps them alive.

The listening sockets belong to this process: while a dead worker is replaced, connections wait in its queue instead
of being refused. A child stops when its pipe is closed, which the death of this process does too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nightschool.config import Config, find_config, load_config, warnings
from nightschool.errors import NightschoolError
from nightschool.logs import configure_logging
from nightschool.stop import Stop

POLL_S = 0.05
READY_WITHIN_S = 60.0
RESTART_AFTER_S = (0.1, 0.5, 2.0, 5.0)
RECORDER_ENDS_WITHIN_S = 120.0
BUSY = 75
"""Exit code of a recorder whose folder another one holds (EX_TEMPFAIL)."""

log = logging.getLogger("nightschool.supervisor")


class ProxyError(NightschoolError):
    """The proxy cannot be started."""


class Child:
    """One process that is to be running: started again when it dies, later each time it dies young."""

    def __init__(self, name: str, command: list[str], *, pass_fds: tuple[int, ...] = ()) -> None:
        self.name = name
        self._command = command
        self._pass_fds = pass_fds
        self._process: subprocess.Popen[bytes] | None = None
        self._stop_fd = -1
        self._deaths = 0
        self._started_at = 0.0
        self._restart_at = 0.0

    def start(self, *extra: str, pass_fds: tuple[int, ...] = ()) -> None:
        """Raises OSError where the system refuses another process."""
        reading, stopping = os.pipe()
        try:
            self._process = subprocess.Popen(
                [*self._command, "--stop-fd", str(reading), *extra],
                pass_fds=(*self._pass_fds, *pass_fds, reading),
                start_new_session=True,  # Ctrl-C is for the supervisor, which ends its children in order
            )
        except OSError:
            os.close(stopping)
            raise
        finally:
            os.close(reading)
        self._stop_fd = stopping
        self._started_at = time.monotonic()

    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def mourn(self) -> None:
        """It has died: note when to start it again."""
        assert self._process is not None
        lived_s = time.monotonic() - self._started_at
        wait_s = self._back_off(0 if lived_s > 60 else self._deaths + 1)
        if self._process.returncode == BUSY:
            self._restart_at = time.monotonic() + 30.0
        else:
            log.error("child_died name=%s code=%s restart_in_s=%.1f", self.name, self._process.returncode, wait_s)
        self._process = None
        os.close(self._stop_fd)

    def put_off(self, error: OSError) -> None:
        """It could not be started: try again later, like one that died young."""
        wait_s = self._back_off(self._deaths + 1)
        log.error("child_not_started name=%s cause=%r again_in_s=%.1f", self.name, str(error), wait_s)

    def _back_off(self, deaths: int) -> float:
        """So many in a row: how long it is let alone, in seconds from now."""
        self._deaths = deaths
        wait_s = RESTART_AFTER_S[min(deaths, len(RESTART_AFTER_S) - 1)]
        self._restart_at = time.monotonic() + wait_s
        return wait_s

    def due(self) -> bool:
        return self._process is None and time.monotonic() >= self._restart_at

    def tell_to_stop(self) -> None:
        if self._process is not None:
            os.close(self._stop_fd)

    def wait(self, timeout_s: float) -> None:
        """Until it has ended; killed after ``timeout_s``."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            log.error("child_killed name=%s; it did not end within %.0f s", self.name, timeout_s)
            self._process.kill()
            self._process.wait()


def serve(config_path: Path | None) -> int:
    """Run the proxy until SIGTERM or Ctrl-C; returns the exit code."""
    configure_logging()
    path = find_config(config_path, os.environ).resolve()
    config = load_config(path, os.environ)
    for caution in warnings(config):
        log.warning("config_caution %s", caution)
    _allow_many_sockets()
    listeners = bind(config)
    stop = Stop()
    stop.on_signals()
    with _metrics_folder() as metrics:
        workers = [_worker(number, path, listener, metrics) for number, listener in enumerate(listeners)]
        recorder = _recorder(config)
        recorder.start()
        try:
            _start_workers(workers, stop)
            host, port = listeners[0].getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"nightschool proxy listening on http://{shown}:{port}", flush=True)
            keep_alive([*workers, recorder], stop)
        finally:
            for listener in listeners:
                listener.close()
            _end(workers, recorder, config.drain_s)
    return 0


def _allow_many_sockets() -> None:
    """Every open stream has two sockets: take as many as this user may have. The workers inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def bind(config: Config) -> list[socket.socket]:
    """A listening socket per worker, on one port; the kernel spreads connections over them."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        # With SO_REUSEPORT a second proxy on the same port would go unnoticed and take half of the traffic.
        with socket.create_server((config.host, config.port), family=family) as probe:
            address = probe.getsockname()
        return [_listener(family, address, shared=config.workers > 1) for _ in range(config.workers)]
    except OSError as error:
        raise ProxyError(
            f"cannot listen on {config.listen}: {error.strerror or error}",
            remedy="set `listen` to a free address and port, or stop what holds this one",
        ) from error


def _listener(family: int, address: tuple[str, int], *, shared: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    listener.listen(4096)
    return listener


def _worker(number: int, config_path: Path, listener: socket.socket, metrics: str) -> Child:
    fd = listener.fileno()
    command = [sys.executable, "-P", "-m", "proxy.worker", "--config", str(config_path), "--listen-fd", str(fd)]
    return Child(f"worker-{number}", [*command, "--metrics-folder", metrics], pass_fds=(fd,))


def _recorder(config: Config) -> Child:
    command = [sys.executable, "-P", "-m", "proxy.recorder", str(config.data)]
    if config.record.retention_days is not None:
        command += ["--retention-days", str(config.record.retention_days)]
    return Child("recorder", command)


def _start(worker: Child) -> int:
    """Start a worker; returns the end of the pipe that says when it is ready."""
    reading, writing = os.pipe()
    try:
        worker.start("--ready-fd", str(writing), pass_fds=(writing,))
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return reading


def _start_workers(workers: list[Child], stop: Stop) -> None:
    """Start all and wait until each can answer."""
    waiting = {worker: _start(worker) for worker in workers}
    deadline = time.monotonic() + READY_WITHIN_S
    for worker, ready_fd in waiting.items():
        os.set_blocking(ready_fd, False)
        while not _is_ready(ready_fd) and not stop.wait(POLL_S):
            code = worker.exit_code()
            if code is not None or time.monotonic() > deadline:
                why = f"ended with code {code}" if code is not None else f"was not ready within {READY_WITHIN_S:.0f} s"
                raise ProxyError(f"{worker.name} {why}", remedy="read its message above")
        os.close(ready_fd)


def _is_ready(ready_fd: int) -> bool:
    try:
        return os.read(ready_fd, 16) != b""
    except BlockingIOError:
        return False


def keep_alive(children: list[Child], stop: Stop) -> None:
    """Replace what dies, until a signal comes."""
    while not stop.wait(POLL_S):
        for child in children:
            if child.exit_code() is not None:
                child.mourn()
            if child.due():
                _start_again(child)


def _start_again(child: Child) -> None:
    """A system that refuses another process just now must not cost those that run."""
    try:
        if child.name == "recorder":
            child.start()
        else:
            os.close(_start(child))
    except OSError as error:
        child.put_off(error)


def _end(workers: list[Child], recorder: Child, drain_s: float) -> None:
    """Workers first, so that the recorder finds everything they wrote."""
    for worker in workers:
        worker.tell_to_stop()
    for worker in workers:
        worker.wait(drain_s + 15)
    recorder.tell_to_stop()
    recorder.wait(RECORDER_ENDS_WITHIN_S)


@contextlib.contextmanager
def _metrics_folder() -> Iterator[str]:
    """Where the workers keep their metrics together; they begin at zero with each start of the proxy."""
    folder = tempfile.mkdtemp(prefix="nightschool-metrics-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
