"""llm-distillery's proxy: one uvicorn worker that captures every exchange into SQLite."""

from __future__ import annotations

import sqlite3
import zlib
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from bench.proxy import environment, peer, probe, traffic
from bench.proxy.child import Child
from bench.proxy.peer import Peer, Records
from bench.proxy.port import free_port, wait_until_open

VERSION = "0.1.0"


def start(
    stack: ExitStack,
    *,
    upstream_port: int,
    cores: set[int],
    folder: Path,
    peers: Path,
    env: Mapping[str, str] | None = None,
) -> Peer:
    """The proxy on ``cores`` in front of the upstream, ended by ``stack``; installed first where it is missing."""
    python = environment.python_with([f"llm-distillery=={VERSION}"], folder=peers / "llm-distillery")
    store = folder / "data" / "captures.db"
    store.parent.mkdir(parents=True)
    port = free_port()
    command = [str(python.with_name("distillery")), "serve", "--port", str(port), "--db", str(store)]
    command += ["--upstream-openai", f"http://127.0.0.1:{upstream_port}"]
    own = {"HOME": str(folder), "NO_PROXY": "127.0.0.1", **(env or {})}  # its settings are those of nobody
    child = stack.enter_context(Child(command, cores=cores, log=folder / "distillery.log", env=own, cwd=folder))
    wait_until_open(port, child, within_s=60)
    return Peer(
        name=peer.DISTILLERY,
        version=VERSION,
        port=port,
        bodies=probe.learn_bodies(port),
        workers=(child.pid,),
        child=child,
        records=Records("x-distillery-capture-id", partial(_stored, store)),
    )


def _stored(store: Path) -> Counter[str]:
    with closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("select id, response_raw from captures where status_code = 200").fetchall()
    said = traffic.answer_text().encode()
    return Counter(identity for identity, response in rows if said in zlib.decompress(response))
