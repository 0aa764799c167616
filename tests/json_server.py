"""HTTP servers for fakes: a handler of JSON, served on a free port of 127.0.0.1 by a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """Reads and sends JSON; a fake adds ``do_GET`` and ``do_POST``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes, and a client's delayed ACK would hold the second

    def body(self) -> Any:
        size = int(self.headers["content-length"])
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionResetError("the client has gone in the middle of its request")
        return json.loads(data or "null")

    def send(self, status: int, value: Any, headers: Iterable[tuple[str, str]] = ()) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (("content-type", "application/json"), ("content-length", str(len(data))), *headers):
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def send_events(self, events: Iterable[bytes]) -> None:
        """Server-sent events, chunk by chunk."""
        self.send_response(200)
        for name, text in (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")):
            self.send_header(name, text)
        self.end_headers()
        for event in events:
            data = b"data: %s\n\n" % event
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone."""


@contextmanager
def serving(handler: type[JsonHandler]) -> Iterator[str]:
    """The server's URL, without a slash at its end, until the block ends."""
    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
