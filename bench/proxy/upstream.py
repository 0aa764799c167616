"""The stub upstream: as cheap as Python can be, so that the proxies are what is measured.

Run as ``python -m bench.proxy.upstream``; prints the port it listens on. ``PUT /pace`` sets the milliseconds between
two events of a stream, ``GET /open`` counts the streams that are running.

A request that came before, byte for byte, is answered without being parsed; proxies send the same bytes again and
again.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import cast

import httptools
import uvloop

from bench.proxy import traffic

_HEADERS = (
    b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"openai-processing-ms: 4\r\n"
    b"openai-version: 2020-10-01\r\n"
    b"x-ratelimit-remaining-requests: 9999\r\n"
    b"x-ratelimit-remaining-tokens: 1999000\r\n"
)
_MAX_REMEMBERED = 1024


def whole(body: bytes, number: int = 0) -> bytes:
    """An answer that is complete at once; ``number`` tells it from the others."""
    framing = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    return _head(framing, number) + body


def chunked(events: list[bytes], number: int = 0) -> list[bytes]:
    """The writes of a stream; the first carries the head, the last the end of the body."""
    framing = b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
    writes = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
    return [_head(framing, number) + writes[0], *writes[1:-1], writes[-1] + b"0\r\n\r\n"]


def _head(framing: bytes, number: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\n%sx-request-id: req_%030d\r\n%s\r\n" % (framing, number, _HEADERS)


@dataclass
class Stub:
    """What all connections share."""

    gap_s: float = 0.005
    open_streams: int = 0
    replies: dict[bytes, list[bytes]] = field(default_factory=dict)
    """Requests seen, as they came, and the writes that answer them."""

    def reply(self, method: bytes, path: bytes, body: bytes) -> list[bytes]:
        """The writes that answer a request; one where nothing is streamed."""
        if path == b"/pace" and method == b"PUT":
            self.gap_s = float(body) / 1000
            return [whole(body)]
        if path == b"/open":
            return [whole(b"%d" % self.open_streams)]
        if not path.endswith(b"/chat/completions"):
            return [whole(b'{"object":"list","data":[]}')]
        asked = json.loads(body)
        if not asked.get("stream"):
            return [whole(traffic.answer(), len(self.replies))]
        usage = bool((asked.get("stream_options") or {}).get("include_usage"))
        return chunked(traffic.stream_events(usage=usage), len(self.replies))

    def remember(self, request: bytes, writes: list[bytes]) -> None:
        """Answer the same bytes with the same writes from now on."""
        if len(self.replies) < _MAX_REMEMBERED:
            self.replies[request] = writes


class Answering(asyncio.Protocol):
    """One connection from a proxy; requests on it are not pipelined."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._arrived: list[bytes] = []
        self._path = b""
        self._body: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._stub.open_streams -= 1

    def data_received(self, data: bytes) -> None:
        writes = self._stub.replies.get(data) if not self._arrived else None
        if writes is not None:
            self._answer(writes)
        else:
            self._arrived.append(data)
            self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        method = self._parser.get_method()
        writes = self._stub.reply(method, self._path, b"".join(self._body))
        if method == b"POST" and len(self._arrived) == 1:
            self._stub.remember(self._arrived[0], writes)
        self._arrived, self._body = [], []
        self._answer(writes)

    def _answer(self, writes: list[bytes]) -> None:
        self._transport.write(writes[0])
        if len(writes) > 1:
            self._stub.open_streams += 1
            self._schedule(writes, 1, self._loop.time() + self._stub.gap_s)

    def _schedule(self, writes: list[bytes], index: int, due: float) -> None:
        self._timer = self._loop.call_at(due, self._tick, writes, index, due)

    def _tick(self, writes: list[bytes], index: int, due: float) -> None:
        self._transport.write(writes[index])
        if index + 1 < len(writes):
            self._schedule(writes, index + 1, due + self._stub.gap_s)
        else:
            self._timer = None
            self._stub.open_streams -= 1


async def serve() -> None:
    """Listen on a free port, print it, and answer until the process is ended."""
    stub = Stub()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(stub), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
