"""LiteLLM's proxy in an environment of its own: one worker, one model, its key, no database, no callback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from bench.proxy import peer, probe, traffic
from bench.proxy.child import Child
from bench.proxy.failure import PeerMissing
from bench.proxy.peer import Peer
from bench.proxy.port import free_port, wait_until_open

VERSION = "1.106.2"
_REQUIREMENT = f"litellm[proxy]=={VERSION}"
_QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it asks the network for prices at start
    "LITELLM_LOG": "ERROR",
    "LITELLM_TELEMETRY": "False",
    "NO_PROXY": "127.0.0.1",
    "LITELLM_MASTER_KEY": traffic.API_KEY,  # without one it refuses to start
}


def start(stack: ExitStack, *, upstream_port: int, cores: set[int], folder: Path, root: Path) -> Peer:
    """LiteLLM on ``cores`` in front of the upstream, ended by ``stack``; installed first where it is missing."""
    python = _python(root)
    folder.mkdir(parents=True)
    port = free_port()
    config = folder / "litellm.json"  # JSON is YAML
    config.write_text(json.dumps(_config(upstream_port)))
    program = str(python.with_name("litellm"))
    command = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    child = stack.enter_context(Child(command, cores=cores, log=folder / "litellm.log", env=_QUIET))
    wait_until_open(port, child, within_s=180)
    bodies = probe.learn_bodies(port, dated=True)
    workers = (child.pid, *child.descendants())
    return Peer(name=peer.LITELLM, version=VERSION, port=port, bodies=bodies, workers=workers, dated=True)


def _config(upstream_port: int) -> dict[str, object]:
    served = {
        "model": f"openai/{traffic.MODEL}",
        "api_base": f"http://127.0.0.1:{upstream_port}/v1",
        "api_key": "sk-bench",
    }
    return {
        "model_list": [{"model_name": traffic.MODEL, "litellm_params": served}],
        "litellm_settings": {"telemetry": False, "num_retries": 0, "request_timeout": 120},
        "general_settings": {"disable_spend_logs": True, "disable_error_logs": True},
    }


def _python(root: Path) -> Path:
    """The interpreter of LiteLLM's environment: ``$BENCH_LITELLM_PYTHON``, or ``.venv-litellm``, made where it is
    missing."""
    if given := os.environ.get("BENCH_LITELLM_PYTHON"):
        return Path(given)
    folder = root / ".venv-litellm"
    python = folder / "bin" / "python"
    finished = folder / "installed"
    if not finished.exists() or finished.read_text() != _REQUIREMENT:
        print(f"installing {_REQUIREMENT} into {folder.name} (once, some minutes) …", file=sys.stderr, flush=True)
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _REQUIREMENT)
        finished.write_text(_REQUIREMENT)
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerMissing(f"LiteLLM could not be installed: {' '.join(done.stderr.split())[-300:]}")
