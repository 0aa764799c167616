"""Clients that ask until they are refused, and remember which answers they have got whole."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.proxy import traffic
from bench.proxy.peer import Peer

_END = b"data: [DONE]"


class Clients:
    """Each asks one request after the other on a connection of its own, plain and streamed by turns."""

    def __init__(self, peer: Peer, header: str, *, count: int, first_streams: bool) -> None:
        self.acknowledged: list[str] = []
        """Ids of the records that the peer has promised with an answer that came whole."""
        self.taken_s: list[float] = []
        """Of plain answers."""
        self._peer = peer
        self._header = header
        self._stopping = threading.Event()
        numbers = range(first_streams, first_streams + count)
        self._threads = [threading.Thread(target=self._ask_on, args=(number,)) for number in numbers]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """After the answers that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._peer.port, timeout=120)
        try:
            while True:
                self._ask(connection, stream=number % 2 == 1, variant=number % traffic.VARIANTS)
                number += 1
                if self._stopping.is_set():
                    return
        except (OSError, http.client.HTTPException):
            return  # the peer is gone, as it must be sooner or later
        finally:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, *, stream: bool, variant: int) -> None:
        begun = time.perf_counter()
        manner = self._peer.manner
        headers = {"authorization": f"Bearer {traffic.API_KEY}", "content-type": "application/json", **manner.headers}
        body = traffic.request_body(stream=stream, variant=variant, model=manner.model)
        connection.request("POST", manner.path, body, headers)
        response = connection.getresponse()
        identity = response.headers[self._header]
        if response.status != 200:
            response.read()
            return
        if not stream:
            response.read()
            self.taken_s.append(time.perf_counter() - begun)
        elif not _has_ended(response):
            return
        self.acknowledged.append(identity)
        response.read()


def _has_ended(response: http.client.HTTPResponse) -> bool:
    """Reads to the event at which OpenAI's client is done, whatever comes behind it."""
    while line := response.readline():
        if line.startswith(_END):
            return True
    return False


@contextmanager
def clients_of(peer: Peer, header: str, *, count: int, first_streams: bool = False) -> Iterator[Clients]:
    """Clients that ask once at least, and as long as the block lasts; the first begins with a stream, or does not."""
    clients = Clients(peer, header, count=count, first_streams=first_streams)
    clients.start()
    try:
        yield clients
    finally:
        clients.stop()
