"""A program with vLLM's command line, which serves the fake replica: for tests of what starts and ends an engine."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from threading import Event
from typing import Any

from nightschool.engine.base import last_part
from tests.fake_replica import FakeReplica, handler_of
from tests.json_server import Server


def program(folder: Path) -> Path:
    """A command that can stand for the engine's Python."""
    path = folder / "python"
    root = Path(__file__).parents[2]
    path.write_text(f'#!/bin/sh\ncd {root} && exec {sys.executable} -m tests.serve.fake_engine "$@"\n')
    path.chmod(0o755)
    return path


def says_yes(model: str, messages: list[dict[str, Any]]) -> str:
    """Of an adapter; the base model says nothing of use."""
    return "yes it is" if "--" in model else "?"


def main(arguments: list[str]) -> None:
    assert arguments[:2] == ["-m", "vllm.entrypoints.openai.api_server"], arguments
    port, model = (arguments[arguments.index(name) + 1] for name in ("--port", "--model"))
    replica = FakeReplica(says_yes)
    replica.root, replica.base = model, last_part(model)
    replica.tool_arguments = '{"city": "Rome"}'
    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    with Server(("127.0.0.1", int(port)), handler_of(replica)) as server:
        server.timeout = 0.05
        while not stop.is_set():
            server.handle_request()


if __name__ == "__main__":
    main(sys.argv[1:])
