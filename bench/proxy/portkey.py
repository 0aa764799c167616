"""Portkey's gateway on Node, its console off; it keeps nothing itself, its logs are a hosted service."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bench.proxy import environment, peer, probe
from bench.proxy.child import Child
from bench.proxy.peer import Peer
from bench.proxy.port import free_port, wait_until_open
from bench.proxy.traffic import Manner

VERSION = "1.15.2"
_OVERRIDES = {"@hono/node-server": "1.14.1"}
"""With a later one, which a plain install takes, every stream is a 500 (their issue 1389)."""
_LOOPBACK = """\
import net from "node:net";
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, port, "127.0.0.1", ...rest.filter((each) => typeof each === "function"));
};
"""
"""It cannot be told an address, and would listen on all of them."""


def start(stack: ExitStack, *, upstream_port: int, cores: set[int], folder: Path, peers: Path) -> Peer:
    """The gateway on ``cores`` in front of the upstream, ended by ``stack``; installed first where it is missing."""
    modules = environment.node_modules_with(
        {"@portkey-ai/gateway": VERSION}, overrides=_OVERRIDES, folder=peers / "portkey"
    )
    folder.mkdir(parents=True)
    loopback = folder / "loopback.mjs"
    loopback.write_text(_LOOPBACK)
    port = free_port()
    program = modules / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    command = ["node", "--import", str(loopback), str(program), f"--port={port}", "--headless"]
    child = stack.enter_context(
        Child(command, cores=cores, log=folder / "portkey.log", env={"NODE_ENV": "production"}, cwd=folder)
    )
    wait_until_open(port, child, within_s=60)
    manner = Manner(
        headers={"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream_port}/v1"}
    )
    return Peer(
        name=peer.PORTKEY,
        version=VERSION,
        port=port,
        bodies=probe.learn_bodies(port, manner),
        workers=(child.pid,),
        manner=manner,
        child=child,
    )
