"""The log of a process that runs on.

One event a line on stderr, its name first, then its fields. Never a body, never a credential.
"""

from __future__ import annotations

import logging
import sys
import time


def configure_logging() -> None:
    """Call it once, first."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells the address of every request, and one is a secret
