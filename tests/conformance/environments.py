"""The environments in which the clients live, made once and made again when what they hold is changed.

Python clients stand in ``.venv-conformance``, since they want other versions than nightschool; Node's in
``tests/conformance/node/node_modules``, with a Node of their own, since they want a newer one than systems have.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.conformance.running import ROOT

HERE = Path(__file__).parent
NODE_FOLDER = HERE / "node"
OLDEST_NODE = 22
_VENV = ROOT / ".venv-conformance"


class NoEnvironment(Exception):
    """Clients that cannot be run on this machine; the message says why."""


def python_environment() -> Path:
    """The interpreter that has the Python clients and schemathesis."""
    python = _VENV / "bin" / "python"
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "-qq",
        "install",
        "-r",
        HERE / "requirements.txt",
    ]

    def make() -> None:
        if not python.exists():
            _run([sys.executable, "-m", "venv", _VENV])
        _run(pip)

    _unless_made(_VENV / ".made-of", [HERE / "requirements.txt"], make, what="Python clients (1 minute, 600 MB)")
    return python


def node_environment() -> Path:
    """The Node that runs the Node clients."""
    npm = shutil.which("npm")
    if npm is None:
        raise NoEnvironment("there is no npm on this machine")
    made_of = [NODE_FOLDER / "package.json", NODE_FOLDER / "package-lock.json"]
    command: list[str | Path] = [
        npm,
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--silent",
        "--prefix",
        NODE_FOLDER,
    ]
    stamp = NODE_FOLDER / "node_modules" / ".made-of"
    _unless_made(stamp, made_of, lambda: _run(command), what="Node clients (half a minute, 250 MB)")
    return _node()


def _node() -> Path:
    """The one that npm has brought; on other machines than Linux the system's, if it is new enough."""
    brought = next((NODE_FOLDER / "node_modules").glob("node-*/bin/node"), None)
    if brought is not None:
        return brought
    found = shutil.which("node")
    if found is None:
        raise NoEnvironment("there is no node on this machine")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        raise NoEnvironment(f"node {version} is older than {OLDEST_NODE}, which the clients want")
    return Path(found)


def _unless_made(stamp: Path, made_of: Sequence[Path], make: Callable[[], None], *, what: str) -> None:
    state = hashlib.sha256(b"".join(file.read_bytes() for file in made_of)).hexdigest()
    if stamp.exists() and stamp.read_text() == state:
        return
    print(f"installing {what}", flush=True)
    make()
    stamp.write_text(state)


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise NoEnvironment(f"`{' '.join(map(str, command))}` failed: {(done.stderr or done.stdout).strip()[-500:]}")
