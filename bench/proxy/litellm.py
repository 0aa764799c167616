"""LiteLLM's proxy in an environment of its own: one worker, one model, its key, no database, no callback."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path

from bench.proxy import environment, peer, probe, traffic
from bench.proxy.child import Child
from bench.proxy.peer import Peer
from bench.proxy.port import free_port, wait_until_open

VERSION = "1.106.2"
_REQUIREMENT = f"litellm[proxy]=={VERSION}"
_DATE = r'"created":\d+'
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
    return Peer(
        name=peer.LITELLM,
        version=VERSION,
        port=port,
        bodies=probe.learn_bodies(port, varies=_DATE),
        workers=(child.pid, *child.descendants()),
        varies=_DATE,
        child=child,
    )


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
    return environment.python_with([_REQUIREMENT], folder=root / ".venv-litellm")
