"""Whose process this is."""

from __future__ import annotations

import getpass
import os


def login_name() -> str:
    """By the environment or the list of users; in a container nobody may have a name, but a number: ``uid 54321``."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return f"uid {os.getuid()}"
