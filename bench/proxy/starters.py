"""The peers by the name that the command line knows them by, and how each is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.proxy import distillery, fastapi_httpx, litellm, nginx, nightschool, peer, portkey, tensorzero
from bench.proxy.cores import Cores
from bench.proxy.peer import Peer


@dataclass(frozen=True)
class Place:
    """Where peers run, and what is behind them."""

    upstream_port: int
    cores: Cores
    root: Path
    """Of the project, where LiteLLM's environment is."""

    @property
    def peers(self) -> Path:
        """The folder with the environments of the others."""
        return self.root / "bench" / ".work" / "peers"


Env = Mapping[str, str]
Start = Callable[[ExitStack, Place, Path, Env], Peer]
"""Into a folder that does not exist yet, with more in its environment; ended by the stack."""


def _nightschool(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    return nightschool.start(stack, upstream_port=place.upstream_port, cores=place.cores, folder=folder, env=env)


def _nginx(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    return nginx.start(stack, upstream_port=place.upstream_port, cores={place.cores.proxy}, folder=folder)


def _litellm(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    cores = {place.cores.proxy}
    return litellm.start(stack, upstream_port=place.upstream_port, cores=cores, folder=folder, root=place.root)


def _fastapi_httpx(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    return fastapi_httpx.start(stack, upstream_port=place.upstream_port, cores={place.cores.proxy}, folder=folder)


def _portkey(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    cores = {place.cores.proxy}
    return portkey.start(stack, upstream_port=place.upstream_port, cores=cores, folder=folder, peers=place.peers)


def _tensorzero(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    cores = {place.cores.proxy}
    return tensorzero.start(stack, upstream_port=place.upstream_port, cores=cores, folder=folder, peers=place.peers)


def _distillery(stack: ExitStack, place: Place, folder: Path, env: Env) -> Peer:
    return distillery.start(
        stack,
        upstream_port=place.upstream_port,
        cores={place.cores.proxy},
        folder=folder,
        peers=place.peers,
        env=env,
    )


OURS = "nightschool"
STARTS: Mapping[str, Start] = {
    OURS: _nightschool,
    "nginx": _nginx,
    "litellm": _litellm,
    "portkey": _portkey,
    "tensorzero": _tensorzero,
    "llm-distillery": _distillery,
    "fastapi-httpx": _fastapi_httpx,
}
NAMES: Mapping[str, str] = {
    OURS: peer.NIGHTSCHOOL,
    "nginx": peer.NGINX,
    "litellm": peer.LITELLM,
    "portkey": peer.PORTKEY,
    "tensorzero": peer.TENSORZERO,
    "llm-distillery": peer.DISTILLERY,
    "fastapi-httpx": peer.AFTERNOON,
}
"""As they are shown."""
USUAL = ("nginx", "litellm")
"""Those that the targets speak of."""
MORE = tuple(name for name in STARTS if name not in (OURS, *USUAL))
RECORDING = (OURS, "llm-distillery")
"""Those that keep what they answered without a database server."""
KEEPS: Mapping[str, str] = {
    peer.NIGHTSCHOOL: "Parquet",
    peer.NGINX: "nothing",
    peer.LITELLM: "nothing (PostgreSQL only)",
    peer.PORTKEY: "nothing (hosted service only)",
    peer.TENSORZERO: "nothing (ClickHouse or PostgreSQL only)",
    peer.DISTILLERY: "SQLite",
    peer.AFTERNOON: "nothing",
}
"""What each records while it is measured."""
