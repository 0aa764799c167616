"""TensorZero's embedded gateway: the HTTP server in Rust that its Python package starts in a process of its own.

No Python is on a request's way. It records into ClickHouse or PostgreSQL only, so here it records nothing.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bench.proxy import environment, peer, probe, traffic
from bench.proxy.child import Child
from bench.proxy.peer import Peer
from bench.proxy.traffic import Manner

VERSION = "2026.6.0"
_VARIES = r'"(id|episode_id)":"[0-9a-f-]{36}"|"created":\d+'
_PROGRAM = """\
import sys, time
from tensorzero.tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
print("listening on", gateway.base_url, flush=True)
time.sleep(1e9)
"""
_CONFIG = """\
[gateway]
observability.enabled = false

[models.{model}]
routing = ["stub"]

[models.{model}.providers.stub]
type = "openai"
model_name = "{model}"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
"""


def start(stack: ExitStack, *, upstream_port: int, cores: set[int], folder: Path, peers: Path) -> Peer:
    """The gateway on ``cores`` in front of the upstream, ended by ``stack``; installed first where it is missing."""
    python = environment.python_with([f"tensorzero=={VERSION}"], folder=peers / "tensorzero")
    folder.mkdir(parents=True)
    config = folder / "tensorzero.toml"
    config.write_text(_CONFIG.format(model=traffic.MODEL, upstream=upstream_port))
    command = [str(python), "-c", _PROGRAM, str(config)]
    child = stack.enter_context(Child(command, cores=cores, log=folder / "tensorzero.log", cwd=folder))
    port = int(child.wait_for(r"listening on http://127\.0\.0\.1:(\d+)", within_s=60)[1])
    manner = Manner("/openai/v1/chat/completions", f"tensorzero::model_name::{traffic.MODEL}")
    return Peer(
        name=peer.TENSORZERO,
        version=VERSION,
        port=port,
        bodies=probe.learn_bodies(port, manner, varies=_VARIES),
        workers=(child.pid,),
        varies=_VARIES,
        manner=manner,
        child=child,
    )
