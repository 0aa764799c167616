"""Ports of the loopback interface: a free one, and a question to whatever listens on one."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

from bench.proxy.child import Child
from bench.proxy.failure import BenchFailure
from bench.proxy.traffic import API_KEY


class Reply(NamedTuple):
    """An answer, whole."""

    status: int
    body: bytes


def free_port() -> int:
    """A port that nobody listens on now, for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        usual = {"authorization": f"Bearer {API_KEY}", "content-type": "application/json"}
        connection.request(method, path, body, {**usual, **(headers or {})})
        response = connection.getresponse()
        return Reply(response.status, response.read())
    finally:
        connection.close()


def wait_until_open(port: int, child: Child, *, within_s: float) -> None:
    """Until something accepts connections; fails with the log's end when ``child`` dies before."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        child.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise BenchFailure(f"{child.log.stem} did not listen on port {port} within {within_s:.0f} s:\n{child.tail()}")
