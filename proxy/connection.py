"""One HTTP/1.1 connection to an upstream, one exchange at a time.

    send head and body -> head() -> read() … read() -> finished, and free for the next exchange

Bodies pass as they came off the wire, less the chunk framing. What is read ahead of a slow consumer is bounded: above
``READ_AHEAD_BYTES`` the socket is not read until the consumer caught up, and TCP slows the upstream down.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import cast

import httptools

from nightschool.errors import AnswerBroken, UpstreamTimeout
from proxy.chunk import whole_chunk
from proxy.turn import Turn

READ_AHEAD_BYTES = 128 * 1024
MAX_HEAD_BYTES = 128 * 1024

Headers = list[tuple[bytes, bytes]]


class Connection(asyncio.Protocol):
    """Client side of HTTP/1.1 on httptools; ``Pool`` opens, lends and closes it."""

    def __init__(self, upstream: str, loop: asyncio.AbstractEventLoop, turn: Turn) -> None:
        self.upstream = upstream
        self.deadline = math.inf
        """Loop time at which the upstream has been silent for too long; the pool looks at it."""
        self._keep_until = 0.0
        """Loop time up to which an idle connection may be used again."""
        self.keep_alive_s = math.inf
        """How long the upstream said that it keeps an idle connection."""
        self.on_arrival: Callable[[], None] | None = None
        """Called instead of waking who waits: when more has arrived, and when the exchange has failed."""
        self.on_chunk: Callable[[bytes], bool] | None = None
        """Called with what is in a chunk that comes alone while nothing waits; False: it has to wait as all else does.

        Needs no parser and no waking, which are half of what a short event costs.
        """
        self.last_byte_at = 0.0
        """``time.perf_counter()`` at which the latest bytes arrived."""
        self.status = 0
        self.headers: Headers = []
        self.finished = True
        """The answer has arrived in full (or none is awaited)."""
        self._loop = loop
        self._turn = turn
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._chunks: list[bytes] = []
        self._buffered_bytes = 0
        self._head_bytes = 0
        self._paused = False
        self._head_done = False
        self._at_chunk = False
        """What comes next begins a chunk, or the end of the chunks."""
        self._bodiless = False
        self._until_close = False
        self._reusable = False
        self._error: Exception | None = None
        self._first_byte_s = self._idle_s = math.inf

    # -- the exchange, as its owner sees it

    @property
    def usable(self) -> bool:
        """May carry another exchange."""
        return self._reusable and self._transport is not None and not self._transport.is_closing()

    @property
    def fresh(self) -> bool:
        """Idle, usable, and not for too long."""
        return self._loop.time() < self._keep_until and self.usable

    def keep(self, keep_s: float) -> None:
        """From now on it idles, for ``keep_s`` at the most.

        An upstream that names its limit closes at it; a second earlier nobody is surprised.
        """
        self._keep_until = self._loop.time() + min(keep_s, self.keep_alive_s - 1)

    def start(self, head: bytes, body: bytes, *, bodiless: bool, first_byte_s: float, idle_s: float) -> None:
        """Write a request and its body, or the first piece of a body that goes on through ``upload``.

        ``bodiless``: the answer will have no body, whatever its headers say (HEAD).
        """
        assert not self._chunks, "an answer to somebody else waits on this connection"
        self.status = 0
        self.headers = []
        self.on_arrival = self.on_chunk = None
        self.finished = self._head_done = self._at_chunk = self._until_close = False
        self._reusable = True
        self._head_bytes = 0
        self._bodiless = bodiless
        self._first_byte_s, self._idle_s = first_byte_s, idle_s
        self.deadline = self._loop.time() + first_byte_s
        assert self._transport is not None
        if len(body) > READ_AHEAD_BYTES:
            self._turn.write(self._transport, head)
            self._turn.write(self._transport, body)
        else:
            self._turn.write(self._transport, head + body)

    def await_client(self) -> None:
        """The next piece of the body is the client's to send: its pauses are not the upstream's fault."""
        self.deadline = math.inf

    def wait_longer(self, idle_s: float) -> None:
        """From now on the pauses of the answer may be that long."""
        self._idle_s = idle_s
        if self.deadline < math.inf:
            self.deadline = self._loop.time() + idle_s

    def spoil(self) -> None:
        """Never use the connection again: the request that is on it was not sent in full."""
        self._reusable = False

    async def upload(self, chunk: bytes) -> None:
        """Write more of the body; returns once the upstream keeps up, raises what ended the answer."""
        if self._error is not None:
            raise self._error
        if self._transport is None:
            return
        self._turn.end()  # what ``start`` has written goes before, and whether the upstream keeps up is known behind
        self._transport.write(chunk)
        if self._drained is not None:
            self.deadline = self._loop.time() + self._idle_s
            await self._drained

    def uploaded(self) -> None:
        """The body is complete: from now on the upstream is awaited."""
        if not self._head_done:
            self.deadline = self._loop.time() + self._first_byte_s

    @property
    def has_head(self) -> bool:
        """``head`` would return at once."""
        return self._head_done

    async def head(self) -> tuple[int, Headers]:
        """Status and headers of the answer, names in lower case."""
        while not self._head_done:
            await self._wait()
        return self.status, self.headers

    async def read(self) -> bytes:
        """What has arrived of the body since the last call; empty only at its end."""
        while not self._chunks:
            if self.finished:
                return b""
            await self._wait()
        return self.take()

    def take(self) -> bytes:
        """What has arrived by now, without waiting."""
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks = []
        self._buffered_bytes = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
            if not self.finished:
                self.deadline = self._loop.time() + self._idle_s
        return data

    def unread(self, data: bytes) -> None:
        """Put back what ``read`` has given: it comes out first again."""
        self._chunks.insert(0, data)

    @property
    def has_data(self) -> bool:
        """``read`` would return at once."""
        return bool(self._chunks) or self.finished

    @property
    def ended(self) -> bool:
        """Nothing more will come out of ``read``."""
        return self.finished and not self._chunks

    @property
    def failed(self) -> bool:
        """``raise_error`` would raise; what arrived before can still be taken."""
        return self._error is not None

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def fail(self, error: Exception) -> None:
        """End the exchange with ``error``: whoever waits gets it, and the connection is closed."""
        self._reusable = False
        self.deadline = math.inf
        if self._error is None:
            self._error = error
        if self._transport is not None:
            self._transport.abort()
        self._wake()
        self.resume_writing()

    def close(self) -> None:
        """Close the connection; an exchange that was under way is cancelled at the upstream by that."""
        self._reusable = False
        self._error = None  # its traceback holds who was waiting, with the request's body, and us
        if self._transport is not None:
            self._transport.abort()

    def time_out(self) -> None:
        """The deadline has passed: fail with the clock that ran out."""
        waiting_for = (
            f"no first byte within {self._first_byte_s:g} s"
            if not self._head_done
            else f"silent for {self._idle_s:g} s in the middle of its answer"
        )
        self.fail(UpstreamTimeout(self.upstream, waiting_for))

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are not its subclasses

    def connection_lost(self, exc: Exception | None) -> None:
        self._reusable = False
        if not self.finished and self._until_close and exc is None and self._error is None:
            self._finish()
        elif not self.finished and self._error is None:
            where = "in the middle of its answer" if self._head_done else "before it answered"
            self._error = AnswerBroken(self.upstream, f"closed the connection {where}" + (f" ({exc})" if exc else ""))
        self._transport = None
        del self._parser  # nothing more arrives; it holds our methods, and only the collector would free us both
        self._wake()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        self.last_byte_at = time.perf_counter()
        self.deadline = self._loop.time() + self._idle_s
        if self.on_chunk is not None and self._at_chunk and not self._chunks:
            content = whole_chunk(data)
            if content is not None:
                if not self.on_chunk(content):
                    self.on_body(content)
                    self._bound_read_ahead()
                    self._wake()
                return
        if not self._head_done:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(AnswerBroken(self.upstream, f"sent something that is not HTTP/1.1 ({error})"))
            return
        self._at_chunk = self._at_chunk and data.endswith(b"\r\n")  # else the next chunk's length has begun
        self._bound_read_ahead()
        if not self._head_done and self._head_bytes > MAX_HEAD_BYTES:
            self.fail(AnswerBroken(self.upstream, f"sent more than {MAX_HEAD_BYTES} bytes of headers"))
        self._wake()

    def _bound_read_ahead(self) -> None:
        if self._buffered_bytes > READ_AHEAD_BYTES and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
            self.deadline = math.inf

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # -- httptools callbacks

    def on_message_begin(self) -> None:
        if self.finished:
            # Nobody asked: the upstream and we disagree about where the last answer ended.
            self.fail(AnswerBroken(self.upstream, "sent an answer that nobody asked for"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # else a trailer, which HTTP/1.1 allows a proxy to drop
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self.finished:
            return  # 100 Continue, 103 Early Hints: the real answer follows
        self.status = status
        self._head_done = True
        self._reusable = self._reusable and self._parser.should_keep_alive()
        self._until_close = True
        for name, value in self.headers:
            if name in (b"content-length", b"transfer-encoding"):
                self._until_close = False
            elif name == b"keep-alive":
                self.keep_alive_s = _keep_alive_s(value)
        if self._bodiless:
            # llhttp waits for the body that a HEAD request's content-length speaks of; the connection cannot be reused.
            self._reusable = False
            self._finish()

    def on_chunk_header(self) -> None:
        self._at_chunk = False

    def on_chunk_complete(self) -> None:
        self._at_chunk = True

    def on_body(self, chunk: bytes) -> None:
        if not self.finished:  # else of an answer that nobody asked for
            self._chunks.append(chunk)
            self._buffered_bytes += len(chunk)

    def on_message_complete(self) -> None:
        if self._head_done:
            self._finish()
        else:
            self.headers = []  # of a 1xx answer

    # -- inside

    def _finish(self) -> None:
        self.finished = True
        self._at_chunk = False
        self.deadline = math.inf

    async def _wait(self) -> None:
        self.raise_error()
        self._waiter = self._loop.create_future()
        await self._waiter
        if not self._chunks and not self.finished:
            self.raise_error()

    def _wake(self) -> None:
        if self.on_arrival is not None:
            self.on_arrival()
            return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _keep_alive_s(value: bytes) -> float:
    """Seconds of ``Keep-Alive: timeout=5, max=100``; infinite when it does not say."""
    for part in value.split(b","):
        key, _, number = part.strip().partition(b"=")
        if key.strip().lower() == b"timeout" and number.strip().isdigit():
            return float(number)
    return math.inf
