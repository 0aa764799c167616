"""A program with vLLM's command line, which serves the fake replica: for tests of what starts and ends an engine."""

from __future__ import annotations

import signal
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Event

from tests.fake_replica import FakeReplica
from tests.json_server import JsonHandler


def program(folder: Path) -> Path:
    """A command that can stand for the engine's Python."""
    path = folder / "python"
    root = Path(__file__).parents[2]
    path.write_text(f'#!/bin/sh\ncd {root} && exec {sys.executable} -m tests.serve.fake_engine "$@"\n')
    path.chmod(0o755)
    return path


def main(arguments: list[str]) -> None:
    assert arguments[:2] == ["-m", "vllm.entrypoints.openai.api_server"], arguments
    port = int(arguments[arguments.index("--port") + 1])
    replica = FakeReplica()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.send(*replica.get(self.path))

        def do_POST(self) -> None:
            self.send(*replica.post(self.path, self.body()))

    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        server.timeout = 0.05
        while not stop.is_set():
            server.handle_request()


if __name__ == "__main__":
    main(sys.argv[1:])
