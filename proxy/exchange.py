"""One request on its way through: connect -> forward -> answer -> record.

    client ──body──► student             where the route says so; what it does not answer goes on to its teacher
    client ──body──► upstream            bytes unchanged, unless something is asked for the record (proxy/inquiry.py)
    client ◄──head, body── upstream      as it comes; the END frame is written before the last of it is passed on

A coroutine sees the request to the upstream and waits for the head of its answer. The body then passes in the
upstream's own callback, so that an event of a stream costs no task switch; the coroutine only looks on, for the end,
for a failure, and for a client or a disk that has to be waited for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from nightschool.errors import ConnectFailed, UpstreamError
from nightschool.record import id_text
from proxy.answers import answer_json, error_event, error_object
from proxy.body import RequestBody
from proxy.client import Client, ClientLeft
from proxy.connection import Connection, Headers
from proxy.entry import Entry
from proxy.facts import RequestFacts
from proxy.headers import framing, read_answer_head
from proxy.hiding import Hiding
from proxy.inquiry import Inquiry, body_with, inquiry, named_in_refusal
from proxy.paths import ApiPath
from proxy.route import Route
from proxy.stream_end import StreamEnd
from proxy.student_attempt import StudentAttempt
from proxy.upload import chunk, upload

if TYPE_CHECKING:
    from proxy.runtime import Runtime
    from proxy.upstream import UpstreamPool

log = logging.getLogger("nightschool.exchange")


class Exchange:
    """Forwards one request; lives as long as the request."""

    __slots__ = (
        "_at_event_end",
        "_body",
        "_client",
        "_connection",
        "_entry",
        "_events",
        "_facts",
        "_hiding",
        "_path",
        "_pool",
        "_received",
        "_route",
        "_runtime",
        "_stream_end",
        "_tail",
        "_turn",
    )

    def __init__(
        self,
        runtime: Runtime,
        entry: Entry,
        *,
        client: Client,
        path: ApiPath,
        facts: RequestFacts,
        body: RequestBody,
        route: Route,
        received: float,
    ) -> None:
        self._runtime = runtime
        self._entry = entry
        self._client = client
        self._path = path
        self._facts = facts
        self._body = body
        self._route = route
        self._received = received
        """``time.perf_counter()`` at which the request was here, later the head of the answer: now it is our turn."""
        self._pool: UpstreamPool | None = None
        self._connection: Connection | None = None
        self._events = False
        """The answer is a stream of server-sent events."""
        self._at_event_end = True
        """What the client has of it ends with a whole event."""
        self._stream_end = StreamEnd()
        self._hiding: Hiding | None = None
        self._tail: tuple[bytes, bool] | None = None
        """The last of the answer, held until the disk has its record."""
        self._turn: asyncio.Future[None] | None = None
        """What the coroutine waits for while the answer passes."""
        client.on_left = self._client_left

    async def run(self) -> None:
        """Answer the client, whatever happens."""
        try:
            if self._route.target == "teacher" or await self._student_fails():
                await self._forward()
        except ClientLeft:
            self._entry.end(complete=False, error_type="client_left")
        except UpstreamError as error:
            self._fail(error)
            error.__traceback__ = None  # its frames hold it, and the request's body
        except asyncio.CancelledError:
            self._entry.end(complete=False, error_type="proxy_stopped")
            raise
        finally:
            self._client.on_left = None
            self._release()
            self._entry.end(complete=False, error_type="proxy_fault")

    def _client_left(self) -> None:
        """Closing the connection is how an upstream is told to stop."""
        if self._connection is not None:
            self._connection.fail(ClientLeft())

    async def _student_fails(self) -> bool:
        """Whether the teacher has to answer; if not, the student has."""
        self._events = self._facts.streams
        attempt = StudentAttempt(
            self._runtime,
            self._entry,
            client=self._client,
            facts=self._facts,
            body=self._body,
            route=self._route,
            received=self._received,
        )
        failure = await attempt.run()
        if failure is None:
            return False
        teacher = self._route.teacher
        if teacher is None:
            raise failure
        self._entry.fall_back(teacher, failure.reason)
        self._route, self._events = teacher, False
        self._received = time.perf_counter()
        self._client.on_left = self._client_left
        return True

    # -- towards the upstream

    async def _forward(self) -> None:
        refused: Inquiry = ()
        while True:
            pool = await self._connect()
            asked = self._inquiry(pool, but_not=refused)
            status, headers = await self._ask(pool, body_with(asked, self._facts) if asked else None)
            if not asked or not 400 <= status < 500:
                break
            assert self._connection is not None
            named = await named_in_refusal(asked, self._connection)
            if not named:
                break
            self._give_up(pool, named)
            refused += named
            self._release()
        self._begin_answer(pool, status, headers, asked)
        await self._answer()

    def _inquiry(self, pool: UpstreamPool, *, but_not: Inquiry) -> Inquiry:
        client = self._client
        wanted = client.head.control.record and client.method == b"POST" and self._route.target == "teacher"
        return inquiry(
            self._facts,
            alternatives=self._runtime.recording.alternatives if wanted else 0,
            refuses=pool.refuses,
            but_not=but_not,
        )

    async def _connect(self) -> UpstreamPool:
        """Borrow a connection to the first upstream of the route that can be reached."""
        pools = [self._runtime.upstreams[name] for name in self._route.upstreams]
        if len(pools) > 1:
            pools.sort(key=lambda pool: pool.unreachable)  # stable: of equals the configured order
        failure: ConnectFailed | None = None
        for pool in pools:
            began = time.perf_counter()
            try:
                self._connection = await pool.acquire()
            except ConnectFailed as error:
                failure = failure or error
                self._runtime.metrics.count("nightschool_upstream_errors", pool.name, error.error_type)
                log.warning("upstream_unreachable upstream=%s cause=%r", pool.name, error.cause)
                continue
            finally:
                self._received += time.perf_counter() - began  # it was the upstream that took so long
            self._pool = pool
            if pool.name != self._route.upstreams[0]:
                self._entry.answered_by(pool.name, "fallback")
                self._runtime.metrics.count("nightschool_fallbacks", pool.name)
            return pool
        assert failure is not None
        raise failure

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._pool is not None:
            connection.on_arrival = None
            self._pool.release(connection)

    async def _ask(self, pool: UpstreamPool, asking: bytes | None) -> tuple[int, Headers]:
        """Send the request, with the body ``asking`` instead of the client's own if there is one.

        Returns the head of the answer.
        """
        connection, body, client = self._connection, self._body, self._client
        assert connection is not None
        if client.disconnected:
            raise ClientLeft
        data = body.data if asking is None else asking
        length = body.length if body.more else len(data)
        head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%b" % (
            client.method,
            pool.target(self._path, client.query, self._facts.model, client.raw_path),
            pool.host_header,
            client.head.lines(pool.replacement if asking is None else pool.replacement_uncompressed),
            framing(client.method, length),
        )
        connection.start(
            head,
            chunk(data) if length is None else data,
            bodiless=client.method == b"HEAD",
            first_byte_s=pool.timeouts.first_byte_s,
            idle_s=pool.timeouts.idle_s,
        )
        self._entry.spend(time.perf_counter() - self._received)
        # Written while the upstream is at work: it costs the client nothing.
        self._entry.begin(self._facts, body, method=client.method)
        if body.more:
            await upload(connection, client, body.ahead, chunked=length is None)
        answer = await connection.head()
        self._received = connection.last_byte_at
        return answer

    def _give_up(self, pool: UpstreamPool, questions: Inquiry) -> None:
        for question in questions:
            pool.remember_refusal(question, self._facts.model)
            self._runtime.metrics.count("nightschool_inquiries_refused", pool.name, question.about)
            log.info("inquiry_refused upstream=%s model=%r about=%s", pool.name, self._facts.model, question.about)

    # -- towards the client

    def _begin_answer(self, pool: UpstreamPool, status: int, headers: Headers, asked: Inquiry) -> None:
        head = read_answer_head(headers)
        self._entry.answer(status, head)
        self._events = head.content_type.startswith(b"text/event-stream")
        head.lines.append(self._entry.header_lines())
        if asked and status < 300 and head.content_encoding:
            self._give_up(pool, asked)  # compressed against our wish: it cannot be read, so it passes once as it is
        elif asked and status < 300:
            self._hiding = Hiding(self._client, status, head, asked, events=self._events)
            return
        self._client.start(status, head.lines, head.content_length)

    async def _answer(self) -> None:
        connection, client = self._connection, self._client
        assert connection is not None
        connection.on_arrival = self._pass
        self._pass()
        if self._tail is None:  # else a head without a body would be the answer, before the disk has it
            client.flush()
        while not client.response_complete:
            if client.disconnected:
                raise ClientLeft
            if self._tail is not None:
                await self._runtime.journal.durable()
                (data, ended), self._tail = self._tail, None
                self._write(data, ended)
            elif client.slow:
                await client.drain()
                self._received = time.perf_counter()
            elif connection.has_data:
                self._pass()
            elif connection.failed:
                connection.raise_error()
            else:
                self._turn = asyncio.get_running_loop().create_future()
                await self._turn
                self._turn = None

    def _pass(self) -> None:
        """Pass on what has arrived; wake the coroutine where that is not all there is to do."""
        connection, client = self._connection, self._client
        assert connection is not None
        over = client.response_complete or client.disconnected
        if connection.has_data and self._tail is None and not client.slow and not over:
            self._pass_on(connection)
        stuck = client.response_complete or connection.failed or self._tail is not None or client.slow
        if stuck and self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def _pass_on(self, connection: Connection) -> None:
        entry = self._entry
        began = max(connection.last_byte_at, self._received)
        data = connection.take()
        ended = connection.finished
        if data:
            entry.feed(data, connection.last_byte_at)
        if not entry.ended and (ended or (self._events and self._stream_end.is_in(data))):
            entry.spend(time.perf_counter() - began)
            entry.end(complete=True)
            if self._runtime.journal.waits_for_disk:
                self._tail = (data, ended)
                return
        self._write(data, ended)
        entry.spend(time.perf_counter() - began)

    def _write(self, data: bytes, ended: bool) -> None:
        if self._hiding is not None:
            data = self._hiding.feed(data, ended=ended)
        if ended:
            self._client.finish(data)
        elif data:
            self._at_event_end = data.endswith((b"\n\n", b"\r\n\r\n"))
            self._client.write(data)

    def _fail(self, error: UpstreamError) -> None:
        """Tell the client in the way that is left, and the log."""
        entry = self._entry
        if entry.ended:
            # The answer was complete by what it says; only the connection was not closed properly behind it.
            self._client.finish(self._hiding.feed(b"", ended=True) if self._hiding is not None else b"")
            return
        self._runtime.metrics.count("nightschool_upstream_errors", error.upstream, error.error_type)
        log.warning("upstream_failed upstream=%s cause=%r id=%s", error.upstream, error.cause, id_text(entry.id))
        message = f"nightschool: {error}"
        if entry.status is None:
            entry.begin(self._facts, self._body, method=self._client.method)
            body = error_object(message, error.error_type, code=error.error_type)
            entry.own_answer(error.status, body)
            entry.end(complete=False, error_type=error.error_type)
            answer_json(self._client, error.status, body, entry.header_lines())
            return
        entry.end(complete=False, error_type=error.error_type)
        if self._events:
            event = error_event(message, error.error_type, code=error.error_type)
            self._client.finish(event if self._at_event_end else b"\n\n" + event)
        elif self._hiding is not None:
            self._client.write(self._hiding.cut())
        # Nothing can be said any more: an answer left short closes the connection, and the client sees the cut.
