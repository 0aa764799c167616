"""A fault of a worker itself. Without one of its parts it would only seem to work; better it dies and is replaced."""

from __future__ import annotations

import logging
import os

log = logging.getLogger("nightschool.worker")


def end_process(error: BaseException) -> None:
    """At once, with 70."""
    log.critical("worker_fault", exc_info=error)
    os._exit(70)
