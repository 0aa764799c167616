"""uvicorn, as the proxy runs it: the API in front of its ASGI application, nothing added to answers.

What is not HTTP is refused in OpenAI's shape. llhttp decides: two lengths, a length with chunks, folded headers never
get through.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine
from functools import partial
from typing import Any, Protocol

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from proxy.answers import error_object
from proxy.client import Client
from proxy.known_head import KnownHead, divided
from proxy.paths import API_PREFIXES, origin_form
from proxy.request_head import RequestHead
from proxy.turn import Turn

MAX_HEAD_BYTES = 64 * 1024
KEEP_ALIVE_S = 75
BACKLOG = 4096
MOST_WAITING = 8
"""Requests that wait for the answer to another; behind them nothing is read, so that a flood of them is bounded."""


class Door(Protocol):
    """Who answers requests under the API base."""

    @property
    def turn(self) -> Turn: ...

    def answer_at_once(self, client: Client) -> None:
        """Of a request that is here in full."""

    async def answer(self, client: Client) -> None: ...


class FrontProtocol(HttpToolsProtocol):
    """Requests under the API base go to ``door``, all others to the ASGI application, as uvicorn does it."""

    def __init__(self, door: Door, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._door = door
        self.turn = door.turn
        self._in_head = False
        """Until it is complete; one that asks for an upgrade is so when it is read again without."""
        self._in_request = False
        """The parser has begun with a request and not ended it."""
        self._requests = 0
        """That the parser has begun with."""
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body_came = False
        self._length: int | None = None
        self._hosts = 0
        self._head: RequestHead | None = None
        """Of the request before: mostly the same."""
        self._known: KnownHead | None = None
        """Of the request before, if it can be recognised without the parser."""
        self._answered: Any = None
        """The request that is being answered, while others wait for it: then ``cycle`` is the last of those."""
        self.idle_since = self.loop.time()
        """Loop time since when nothing of a request has come; infinite while the next word is the proxy's."""
        self._unread_bytes = 0
        self.unread_since = self.loop.time()
        """Loop time since when what is written has waited without a byte of it being taken."""

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        answered, self._answered = self._answered, None
        if answered is not None and not answered.response_complete:
            answered.disconnected = True
            answered.message_event.set()
        # Requests hold their connection and it holds them: let go, or each connection stays until the collector comes,
        # which for one that outlived a collection is after millions of requests.
        self.cycle = None  # type: ignore[assignment]
        self.pipeline.clear()

    def data_received(self, data: bytes) -> None:
        between = not self._in_request
        known = self._known
        if known is not None and between and self.cycle.response_complete:
            body = known.body_of(data)
            if body is not None:
                self._again(known, body)
                return
        before: Any = self.cycle
        requests, in_head = self._requests, self._in_head
        self._body_came = False
        self._parse(data)
        is_one = between and self._requests == requests + 1
        if self._in_head:
            self._bound_head(len(data) if in_head or is_one else 0)  # else a part of it is of the request before
        elif is_one:
            self._known = self._learned(data) if self.cycle is not before else None
        if self._in_request and not self._in_head:
            self.idle_since = self.loop.time()
            self._bound_framing(0 if self._body_came else len(data))

    def _parse(self, data: bytes) -> None:
        try:
            behind = self._behind_upgrade(data)
            while behind is not None:
                self._read_without_upgrade()
                behind = self._behind_upgrade(behind)
        except httptools.HttpParserError:
            problem = "Invalid HTTP request received."
            self.logger.warning(problem)
            self.send_400_response(problem)

    def _behind_upgrade(self, data: bytes | memoryview) -> memoryview | None:
        """What follows a head that asks for an upgrade, where the parser stops; None where no head does."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return memoryview(data)[upgrade.args[0] :] if self._in_head else None
        return None

    def _read_without_upgrade(self) -> None:
        """Read the head again, of the plain request that RFC 9110 section 7.8 lets it be.

        The parser has ended the request with its head and holds what follows for another protocol's, also where a
        length or chunks announce a body.
        """
        lines = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        if self._length is not None:
            lines.append(b"content-length: %d\r\n" % self._length)
        self._requests -= 1  # it is the same one
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self.parser.feed_data(b"".join((*lines, b"\r\n")))

    def _bound_head(self, more_bytes: int) -> None:
        self._head_bytes += more_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(b"431 Request Header Fields Too Large", f"more than {MAX_HEAD_BYTES} bytes of headers")

    def _bound_framing(self, more_bytes: int) -> None:
        """Of what comes behind a head and is no body, such as a trailer; the parser would hold all of it."""
        self._framing_bytes = self._framing_bytes + more_bytes if more_bytes else 0
        if self._framing_bytes > MAX_HEAD_BYTES:
            self.turn.close(self.transport)

    def _again(self, known: KnownHead, body: bytes) -> None:
        """A request with the head of the one before."""
        self.idle_since = math.inf
        client = Client(
            self,
            method=known.method,
            raw_path=known.raw_path,
            query=known.query,
            head=known.head,
            length=len(body),
            keep_alive=True,
            knows_chunks=True,
            body=body,
        )
        self.cycle = client  # type: ignore[assignment]
        self._door.answer_at_once(client)

    def _learned(self, data: bytes) -> KnownHead | None:
        """Of the request with which ``data`` begins, and which the parser has accepted."""
        client: Any = self.cycle
        if not isinstance(client, Client) or not client.keep_alive or client.head.expects_100:
            return None
        parts = divided(data)
        return parts and KnownHead(
            *parts, method=client.method, raw_path=client.raw_path, query=client.query, head=client.head
        )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._requests += 1
        self.idle_since = self.loop.time()  # a head has as long as the pause before it, however it trickles
        self._in_head = self._in_request = True
        self._head_bytes = self._framing_bytes = self._hosts = 0
        self._length = None

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer, which HTTP/1.1 allows a proxy to drop
        name = name.lower()
        if name == b"content-length":
            self._length = int(value)
            return
        if name == b"host":
            self._hosts += 1
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            return  # nothing has begun: it is read without its upgrade
        self._in_head = False
        self.idle_since = math.inf
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0") or self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise ValueError("RFC 9112 section 3.2: exactly one Host, and a version")  # becomes a 400
        if not self.url.startswith(API_PREFIXES):
            self.url = origin_form(self.url)
            if not self.url.startswith(API_PREFIXES):
                self._ask_application()
                return
        if self._head is None or self._head.headers != self.headers:
            self._head = RequestHead(self.headers)
        raw_path, _, query = self.url.partition(b"?")
        modern = version == "1.1"
        client = Client(
            self,
            method=self.parser.get_method(),
            raw_path=raw_path,
            query=query,
            head=self._head,
            length=self._length,
            keep_alive=modern and self.parser.should_keep_alive(),
            knows_chunks=modern,
        )
        before: Any = self.cycle
        self.cycle = client  # type: ignore[assignment]
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))
            self._wait_for(before)

    def _ask_application(self) -> None:
        if self._length is not None:
            self.headers.append((b"content-length", b"%d" % self._length))
        self.expect_100_continue = any(h == b"expect" and v.lower() == b"100-continue" for h, v in self.headers)
        before = self.cycle
        super().on_headers_complete()
        if self.pipeline:
            self._wait_for(before)

    def _wait_for(self, before: Any) -> None:
        """``cycle`` is in the pipeline, behind ``before``."""
        if self._answered is None:
            self._answered = before
        if len(self.pipeline) < MOST_WAITING:
            self.flow.resume_reading()  # uvicorn has paused it; and nobody would see that the client leaves
        else:
            self.flow.pause_reading()

    def on_body(self, body: bytes) -> None:
        self._body_came = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_head:
            return  # it asks for an upgrade, and will be read without
        self._in_request = False
        self.idle_since = self.loop.time() if self.cycle.response_complete else math.inf
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The next request's turn; without uvicorn's timer for each pause between two (``close_idle``)."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._answered = cycle if self.pipeline else None
            self.idle_since = max(self.idle_since, self.loop.time())  # for what it owes it has as long as any other
            self._start_asgi_task(cycle, app)
        else:
            self.idle_since = self.loop.time()
        if self.flow.read_paused:
            self.read_on()

    def read_on(self) -> None:
        """Unless enough requests wait; while nothing is read, nobody sees that the client leaves."""
        if len(self.pipeline) < MOST_WAITING:
            self.flow.resume_reading()

    def shutdown(self) -> None:
        self.turn.end()  # the connection is closed if its answer is complete, which may have to be written yet
        super().shutdown()

    def close_if_idle(self) -> None:
        if self._is_stuck():
            self.transport.abort()  # closing it would wait for the very bytes that nobody takes
            return
        if self.flow.read_paused or self.pipeline:
            return  # it is the client that waits
        if self.loop.time() - self.idle_since > KEEP_ALIVE_S:
            self.transport.close()

    def _is_stuck(self) -> bool:
        """The client has read nothing of what waits for it for ``KEEP_ALIVE_S``: it hangs.

        An upstream, a record, and the log that the record is in would hang with it.
        """
        unread_bytes = self.transport.get_write_buffer_size()
        if not unread_bytes or unread_bytes != self._unread_bytes:
            self._unread_bytes, self.unread_since = unread_bytes, self.loop.time()
        return self.loop.time() - self.unread_since > KEEP_ALIVE_S

    def stop_request(self) -> None:
        client = self._answered or self.cycle
        self.pipeline.clear()  # none of them begins any more
        if isinstance(client, Client):
            client.stop()

    async def answer(self, client: Client) -> None:
        await self._door.answer(client)

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Have it done beside; the server waits for it when it ends, and cancels it when that takes too long."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def send_400_response(self, msg: str) -> None:
        self._refuse(b"400 Bad Request", msg)

    def _refuse(self, status: bytes, problem: str) -> None:
        body = error_object(f"nightschool: {problem}", "invalid_request_error")
        self.turn.write(
            self.transport,
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body),
        )
        self.turn.close(self.transport)


def build_server(door: Door, application: Any, drain_s: float) -> uvicorn.Server:
    """A server for the sockets that ``serve`` is given; told to stop, it gives running requests ``drain_s`` to end."""
    protocol: Any = partial(FrontProtocol, door)
    config = uvicorn.Config(
        application,
        http=protocol,
        ws="none",
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(drain_s),
    )
    return uvicorn.Server(config)


def close_idle(server: uvicorn.Server) -> None:
    """Close where the client owes the next piece of a request, or has read nothing of what waits for it, for
    ``KEEP_ALIVE_S``; to be called now and then."""
    for connection in list(server.server_state.connections):
        if isinstance(connection, FrontProtocol):
            connection.close_if_idle()


def stop_requests(server: uvicorn.Server) -> None:
    """End what still runs when the time to drain is over."""
    for connection in list(server.server_state.connections):
        if isinstance(connection, FrontProtocol):
            connection.stop_request()
