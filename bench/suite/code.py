"""What is measured: the commit that last changed it, changes since, and the versions of what it stands on."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

_STANDS_ON = ("nightschool", "uvicorn", "uvloop", "httptools", "msgspec", "duckdb", "pyarrow", "numpy")


def code_of(root: Path, paths: Collection[str]) -> str:
    """The last commit that touched these; with uncommitted changes a ``+`` and their hash.

    Empty outside of a repository.
    """
    commit = _git(root, "log", "-1", "--format=%h", "--", *paths)
    changes = _git(root, "diff", "HEAD", "--", *paths)
    return f"{commit}+{hashlib.sha256(changes.encode()).hexdigest()[:6]}" if changes else commit


def versions() -> dict[str, str]:
    """By name."""
    return {"Python": platform.python_version(), **{name: version(name) for name in _STANDS_ON}}


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
