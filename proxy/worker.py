"""One worker process: the event loop that answers, its journal, and an eye on the configuration and the registry.

Started by the supervisor, which hands it a listening socket and two pipes: one it writes to when it is ready, and one
that is closed when it should stop, which the death of the supervisor does too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

import uvloop

from nightschool.config import Config, Loaded, read_config, restart_needed, warnings
from nightschool.config.clients import open_door
from nightschool.config.follow import Followed
from nightschool.errors import ConfigError, NightschoolError
from nightschool.logs import configure_logging
from proxy.accepted import Accepted
from proxy.application import build_application
from proxy.callers import Callers, caller_secret
from proxy.clients.meters import Meters
from proxy.fault import end_process
from proxy.front import Front
from proxy.journal import Journal
from proxy.metrics import Metrics
from proxy.runtime import Runtime, journal_settings, log_header
from proxy.server import build_server, close_idle, stop_requests
from proxy.students.breaker import Breakers
from proxy.students.probe import PROBE_EVERY_S, probe
from proxy.students.registry import LOOK_EVERY_S, NOTHING, Registered, Registry
from proxy.students.roster import unnamed

RELOAD_EVERY_S = 1.0
END_WITHIN_S = 2.0

log = logging.getLogger("nightschool.worker")


class Worker:
    """Everything that lives as long as the process."""

    def __init__(self, loaded: Loaded, metrics_folder: Path | None = None) -> None:
        config = loaded.config
        self._followed = Followed(
            loaded.file, os.environ, refused=lambda: self.metrics.count("nightschool_config_reloads", "refused")
        )
        self.journal = Journal(
            config.data / "wal",
            lambda: log_header(self.front.runtime.config, f"worker-{os.getpid()}"),
            journal_settings(config),
        )
        self.metrics = Metrics(metrics_folder)
        self.callers = Callers(caller_secret(config.data))
        self.meters = Meters(metrics_folder, config.data)
        self.meters.look()
        self.breakers = Breakers()
        self._registry = Registry(
            config.data, lambda file, result: self.metrics.count("nightschool_registry_reloads", file, result)
        )
        self._told_unnamed: frozenset[str] = frozenset()
        runtime = self._runtime(config, self._registry.look() or NOTHING, before=None)
        application = build_application(
            self.journal,
            self.metrics,
            draining=lambda: self.server.should_exit,
            redacted=lambda text: self.front.runtime.recording.redacted(text),
            clients=lambda: self.front.runtime.clients,
        )
        self.front = Front(runtime)
        self.server = build_server(self.front, application, config.drain_s)
        self._accepted = Accepted(metrics_folder)
        self._accepted.keep(loaded.content)

    async def run(self, listener: socket.socket, *, ready_fd: int, stop_fd: int) -> None:
        """Serve until told to stop; then end what is running and leave nothing unwritten."""
        loop = asyncio.get_running_loop()
        loop.add_reader(stop_fd, self._stop, stop_fd)
        self.journal.start()
        beside = [
            loop.create_task(self.front.look_after()),
            loop.create_task(self._follow_config(listener.getsockname()[0])),
            loop.create_task(self._follow_registry()),
            loop.create_task(self._probe_replicas()),
            loop.create_task(self._say_ready(ready_fd)),
        ]
        for task in beside:
            task.add_done_callback(_fault_is_fatal)
        await self.server.serve(sockets=[listener])
        stop_requests(self.server)
        await self._ended()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await self.journal.close()
        log.info("worker_stopped pid=%d", os.getpid())

    async def _ended(self) -> None:
        """Requests that the server has cancelled still write how they ended."""
        deadline = time.monotonic() + END_WITHIN_S
        while self.metrics.open_requests and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def _stop(self, stop_fd: int) -> None:
        asyncio.get_running_loop().remove_reader(stop_fd)
        self.server.should_exit = True

    async def _say_ready(self, ready_fd: int) -> None:
        while not self.server.started:
            await asyncio.sleep(0.005)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for a worker that replaces another
            os.write(ready_fd, b"ready\n")
        os.close(ready_fd)

    async def _follow_config(self, host: str) -> None:
        """Take over a changed file; a bad one is refused and the one before stays in force."""
        while True:
            await asyncio.sleep(RELOAD_EVERY_S)
            self.metrics.publish(self.journal.state)
            close_idle(self.server)
            if self.front.runtime.clients is not None:
                await asyncio.to_thread(self.meters.look)
            config = await asyncio.to_thread(self._followed.look)
            if config is not None and not self._opens_the_door(config, host):
                self._take_over(config)

    async def _follow_registry(self) -> None:
        """Take over what the registry says; the looking may block, so a thread does it."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            registered = await asyncio.to_thread(self._registry.look)
            if registered is not None:
                before = self.front.runtime
                self.front.take_over(self._runtime(before.config, registered, before=before))
                log.info(
                    "registry_taken_over revision=%d replicas=%d",
                    registered.routing.revision,
                    len(registered.replicas.replicas),
                )

    async def _probe_replicas(self) -> None:
        while True:
            await asyncio.sleep(PROBE_EVERY_S)
            pools = self.front.runtime.replica_pools
            await probe(pools, self.breakers)
            self.breakers.keep(pools)
            self.metrics.breakers({pool.name: int(self.breakers.is_open(url)) for url, pool in pools.items()})

    def _runtime(self, config: Config, registered: Registered, *, before: Runtime | None) -> Runtime:
        without_name = unnamed(config, registered.routing)
        for workload in sorted(without_name - self._told_unnamed):
            log.warning(
                "students_unnamed workload=%s; its teacher answers: the configuration has no such workload", workload
            )
        self._told_unnamed = without_name
        return Runtime(
            config,
            journal=self.journal,
            callers=self.callers,
            metrics=self.metrics,
            registered=registered,
            breakers=self.breakers,
            meters=self.meters,
            before=before,
        )

    def _opens_the_door(self, config: Config, host: str) -> bool:
        """A file that is good for the address that it names, but not for the one in use until the next start."""
        problem = open_door(config, host)
        if problem is not None:
            self._refuse(f"listen: {problem}")
        return problem is not None

    def _refuse(self, problem: object) -> None:
        self.metrics.count("nightschool_config_reloads", "refused")
        log.error("config_refused path=%s; the configuration before stays in force\n%s", self._followed.path, problem)

    def _take_over(self, config: Config) -> None:
        before = self.front.runtime
        try:
            runtime = self._runtime(config, before.registered, before=before)
        except OSError as error:  # a file that it names has changed since it was checked
            self._refuse(error)
            return
        self.front.take_over(runtime)
        self._accepted.keep(self._followed.content)
        self.journal.settings = journal_settings(config)
        self.journal.rotate()  # the next log begins with the new prices
        self.metrics.count("nightschool_config_reloads", "taken_over")
        for caution in warnings(config):
            log.warning("config_caution %s", caution)
        for key in restart_needed(before.config, config):
            log.warning("config_needs_restart key=%s; it changes when the proxy is started anew", key)
        log.info("config_reloaded path=%s", self._followed.path)


def _fault_is_fatal(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        end_process(error)


def first_config(path: Path, host: str, accepted: Accepted) -> Loaded:
    """What the file says; where that is refused, what the worker before this one had in force."""
    try:
        return _admitted(read_config(path, os.environ), host)
    except ConfigError as error:
        content = accepted.read()
        if content is None:
            raise
        log.error("config_refused path=%s; the configuration before stays in force\n%s", path, error)
        return _admitted(read_config(path, os.environ, content=content), host)


def _admitted(loaded: Loaded, host: str) -> Loaded:
    problem = open_door(loaded.config, host)
    if problem is not None:  # the file has changed since the supervisor bound its address
        raise ConfigError(f"listen: {problem}")
    return loaded


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    for name in ("--listen-fd", "--ready-fd", "--stop-fd"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--metrics-folder", type=Path)
    arguments = parser.parse_args()
    configure_logging()
    # The server restores these when it ends; a second signal must not kill what is being written.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    listener = socket.socket(fileno=arguments.listen_fd)
    try:
        loaded = first_config(arguments.config, listener.getsockname()[0], Accepted(arguments.metrics_folder))
        worker = Worker(loaded, arguments.metrics_folder)
    except (NightschoolError, OSError) as error:
        sys.exit(f"nightschool: {error}")
    # What is alive now lives for ever; young garbage is mostly freed by reference counts.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    uvloop.run(worker.run(listener, ready_fd=arguments.ready_fd, stop_fd=arguments.stop_fd))


if __name__ == "__main__":
    main()
