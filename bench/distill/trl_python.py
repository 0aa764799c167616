"""TRL, which training is measured beside: an environment of its own, made by `make install-trl`."""

from __future__ import annotations

import subprocess
from pathlib import Path

TRL_PYTHON = Path(__file__).resolve().parents[2] / ".venv-trl" / "bin" / "python"


def why_missing() -> str | None:
    """None where it is there."""
    return None if TRL_PYTHON.exists() else f"there is no TRL: {TRL_PYTHON} does not exist; try `make install-trl`"


def version() -> str:
    """Raises where it is missing."""
    command = [str(TRL_PYTHON), "-c", "from importlib.metadata import version; print(version('trl'))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
