"""Environments of their own for the peers, made where they are missing: nothing of theirs is installed beside
nightschool."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.proxy.failure import PeerMissing


def python_with(requirements: Sequence[str], *, folder: Path) -> Path:
    """The interpreter of an environment that has just these and what they need."""
    python = folder / "bin" / "python"
    if _is_missing(folder, wanted := "\n".join(requirements)):
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
        _finish(folder, wanted)
    return python


def node_modules_with(dependencies: Mapping[str, str], *, overrides: Mapping[str, str], folder: Path) -> Path:
    """The ``node_modules`` of a folder that has just these; ``overrides`` are versions for what they need."""
    package = json.dumps({"private": True, "dependencies": dict(dependencies), "overrides": dict(overrides)}, indent=1)
    if (npm := shutil.which("npm")) is None or shutil.which("node") is None:
        raise PeerMissing("no `node` and `npm` on this machine (Debian: apt-get install nodejs npm)")
    if _is_missing(folder, package):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(package)
        _run(npm, "install", "--prefix", str(folder), "--silent", "--no-audit", "--no-fund")
        _finish(folder, package)
    return folder / "node_modules"


def _is_missing(folder: Path, wanted: str) -> bool:
    finished = folder / "installed"
    missing = not finished.exists() or finished.read_text() != wanted
    if missing:
        print(f"installing {folder.name} into an environment of its own (once) …", file=sys.stderr, flush=True)
    return missing


def _finish(folder: Path, wanted: str) -> None:
    (folder / "installed").write_text(wanted)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerMissing(f"could not be installed: {' '.join(done.stderr.split())[-300:]}")
