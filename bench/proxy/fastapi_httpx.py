"""The proxy of `bench.proxy.afternoon`: one uvicorn worker, in nightschool's own environment."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from bench.proxy import peer, probe
from bench.proxy.child import Child
from bench.proxy.peer import Peer
from bench.proxy.port import free_port, wait_until_open


def start(stack: ExitStack, *, upstream_port: int, cores: set[int], folder: Path) -> Peer:
    """It on ``cores`` in front of the upstream, ended by ``stack``."""
    folder.mkdir(parents=True)
    port = free_port()
    command = [sys.executable, "-m", "bench.proxy.afternoon", f"http://127.0.0.1:{upstream_port}", str(port)]
    child = stack.enter_context(Child(command, cores=cores, log=folder / "afternoon.log"))
    wait_until_open(port, child, within_s=30)
    return Peer(
        name=peer.AFTERNOON,
        version=f"{version('fastapi')} + {version('httpx')}",
        port=port,
        bodies=probe.learn_bodies(port),
        workers=(child.pid,),
        child=child,
    )
