"""One scheduler leads; others wait, and one of them leads as soon as it is gone, however it went."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightschool.registry.routing import registry_of
from nightschool.stop import Stop
from nightschool.store.durable import make_folder
from nightschool.store.lock import lock_at_once

LOCK = "scheduler.lock"
_LOOK_EVERY_S = 0.5

log = logging.getLogger("nightschool.scheduler")


@contextmanager
def leading(data: Path, stop: Stop) -> Iterator[bool]:
    """Wait until this process leads; false if it was told to stop before."""
    make_folder(registry_of(data))
    path = registry_of(data) / LOCK
    waits = False
    while not stop():
        with lock_at_once(path) as held:
            if held:
                path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n")
                log.info("scheduler_leads data=%s", data)
                yield True
                return
        if not waits:
            log.info("scheduler_waits: %s leads", path.read_text().strip() or "another one")
            waits = True
        stop.wait(_LOOK_EVERY_S)
    yield False
