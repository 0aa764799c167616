"""`nightschool up`: everything on one machine, under one Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.console import is_installed
from cli.options import ConfigOption
from cli.scheduler import PROGRAM

if TYPE_CHECKING:
    from nightschool.child import Child
    from nightschool.config import Config
    from nightschool.config.follow import Followed
    from nightschool.stop import Stop

_POLL_S = 0.1
_YOUNG_S = 30.0
_NAMES = ("proxy", "serve", "scheduler", "console")
"""In the order in which they start; they end in the opposite one."""
_PATIENCE_S = {"scheduler": 30.0, "serve": 60.0, "console": 10.0}


def up(config: ConfigOption = None) -> None:
    """Run proxy, serve, scheduler and console, start again what dies, and end all of them with one Ctrl-C.

    `serve` runs as soon as a replica or an engine is configured, the console where it is installed. The proxy ends
    last, so that running requests end first.

    Example: nightschool up
    """
    from nightschool.config import find_config, load_config
    from nightschool.config.follow import Followed
    from nightschool.logs import configure_logging
    from nightschool.stop import Stop

    file = find_config(config, os.environ).resolve()
    loaded, followed = load_config(file, os.environ), Followed(file, os.environ)
    configure_logging()
    stop = Stop()
    stop.on_signals()
    children = {name: _child(name, file) for name in _NAMES if name != "console" or is_installed()}
    patience_s = {**_PATIENCE_S, "proxy": loaded.drain_s + 20}
    try:
        failed = _keep_alive(children, loaded, followed, stop)
    finally:
        for name in reversed(children):
            children[name].stop(patience_s[name])
    raise typer.Exit(1 if failed else 0)


def _child(name: str, file: Path) -> Child:
    from nightschool.child import Child

    return Child(name, [*PROGRAM, name, "--config", file], output=subprocess.PIPE)


def _keep_alive(children: dict[str, Child], config: Config, followed: Followed, stop: Stop) -> bool:
    """Until told to stop; true where the proxy could not even start: then its own message says why."""
    begin, listens = time.monotonic(), False
    proxy = children["proxy"]
    while not stop():
        listens = listens or time.monotonic() - begin > _YOUNG_S
        if not listens and proxy.exit_code() is not None:
            return True
        config = followed.look() or config
        for name, child in children.items():
            if (name != "serve" or config.student.servers) and child.keep_alive():
                _show(child)
        stop.wait(_POLL_S)
    return False


def _show(child: Child) -> None:
    """Its lines among ours, with its name before them."""
    lines = child.lines
    assert lines is not None

    def show() -> None:
        with lines:
            for line in lines:
                sys.stdout.write(f"{child.name:<9} | {line.decode(errors='replace')}")
                sys.stdout.flush()

    threading.Thread(target=show, daemon=True).start()
