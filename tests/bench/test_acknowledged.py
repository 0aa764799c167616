"""Clients count an answer only when they have it whole, and the afternoon's proxy passes on what it gets."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.proxy import fastapi_httpx, traffic
from bench.proxy.acknowledged import clients_of
from bench.proxy.generator import Upstream
from bench.proxy.peer import Peer
from bench.proxy.probe import Bodies

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pins processes to cores")

HEAD = b"HTTP/1.1 200 OK\r\nx-id: 7\r\ncontent-length: %d\r\n\r\n"
EVENTS = b"".join(traffic.stream_events(usage=False))


@contextmanager
def server_that_says(answer: bytes) -> Iterator[Peer]:
    """To one client, once, and then it is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_once() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        yield Peer(name="x", version="", port=listening.getsockname()[1], bodies=Bodies(b"", b""))
        thread.join()


@pytest.mark.parametrize(
    ("stream", "answer", "acknowledged"),
    [
        (False, HEAD % 2 + b"{}", ["7"]),
        (False, HEAD % 3 + b"{}", []),
        (True, HEAD % len(EVENTS) + EVENTS, ["7"]),
        (True, HEAD % len(EVENTS) + EVENTS[:-20], []),
        (True, HEAD % (len(EVENTS) + 9) + EVENTS, ["7"]),  # OpenAI's client is done with the event, whatever follows
        (False, b"HTTP/1.1 502 Bad\r\nx-id: 7\r\ncontent-length: 2\r\n\r\n{}", []),
    ],
)
def test_an_answer_is_acknowledged_when_it_has_come_whole(stream: bool, answer: bytes, acknowledged: list[str]) -> None:
    with server_that_says(answer) as peer, clients_of(peer, "x-id", count=1, first_streams=stream) as clients:
        pass

    assert clients.acknowledged == acknowledged


def test_the_proxy_of_an_afternoon_passes_answers_and_streams_on_and_its_clients_get_them_whole(tmp_path: Path) -> None:
    with ExitStack() as stack:
        upstream = Upstream(stack, cores=os.sched_getaffinity(0), folder=tmp_path)
        cores = os.sched_getaffinity(0)
        peer = fastapi_httpx.start(stack, upstream_port=upstream.port, cores=cores, folder=tmp_path / "it")
        with clients_of(peer, "x-request-id", count=4) as clients:
            time.sleep(0.5)

    assert peer.bodies == (traffic.answer(), EVENTS)
    assert len(clients.acknowledged) >= 4
    assert None not in clients.acknowledged
