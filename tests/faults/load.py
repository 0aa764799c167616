"""Load on a proxy from several threads, and what it acknowledged: the ids of the answers that arrived whole."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from demo.upstream.behaviour import TEXT
from tests.raw import RawConnection, chat_request

CLIENTS = 6
END = b"data: [DONE]\n\n"


class Load:
    """Clients that ask one request after the other, plain and streamed by turns, until they are told to stop.

    A client whose connection ends opens another one; a client that is refused gives up.
    """

    def __init__(self, url: str) -> None:
        self.acknowledged: list[str] = []
        self.failures: list[str] = []
        """Answers that came and were not what they should be; a connection that ends is no failure."""
        self.refused = False
        self._url = url
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _client(self, number: int) -> None:
        while not self._stopping.is_set():
            try:
                connection = RawConnection(self._url)
            except OSError:
                self.refused = True
                return
            with contextlib.suppress(OSError, ValueError, IndexError), connection:
                while not self._stopping.is_set():
                    number += 1
                    self._ask(connection, stream=number % 2 == 1)

    def _ask(self, connection: RawConnection, *, stream: bool) -> None:
        connection.send(chat_request(stream=stream))
        status_line, headers = connection.head()
        exchange_id = dict(headers)["x-nightschool-id"]
        if " 200" not in status_line:
            self.failures.append(status_line)
        if not stream:
            body = connection.read(int(dict(headers)["content-length"]))
            if len(body) == int(dict(headers)["content-length"]):
                self._acknowledge(exchange_id, body)
            return
        received = b""
        while data := connection.chunk():
            received += data
            # The official client goes on as soon as it has this event, whatever comes behind it.
            if received.endswith(END):
                self._acknowledge(exchange_id, received)

    def _acknowledge(self, exchange_id: str, body: bytes) -> None:
        self.acknowledged.append(exchange_id)
        if TEXT.split()[-1].encode() not in body:
            self.failures.append(f"{exchange_id}: {body[:200]!r}")


@contextlib.contextmanager
def load_on(url: str) -> Iterator[Load]:
    """Load for as long as the block lasts."""
    load = Load(url)
    load.start()
    try:
        yield load
    finally:
        load.stop()
