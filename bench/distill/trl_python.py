"""TRL, which training is measured beside: an environment of its own, made by `make install-trl`.

A file named `trl` would hide the library from `trl_trainer.py`, which is run beside it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

TRL_PYTHON = Path(__file__).resolve().parents[2] / ".venv-trl" / "bin" / "python"


def why_missing() -> str | None:
    """None where it is there."""
    return None if TRL_PYTHON.exists() else "there is no TRL; make install-trl"


def version() -> str:
    """Raises where it is missing."""
    command = [str(TRL_PYTHON), "-c", "from importlib.metadata import version; print(version('trl'))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
