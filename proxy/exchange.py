"""One request on its way through: connect -> forward -> answer -> record.

    client ──body──► student             where the route says so; what it does not answer goes on to its teacher
    client ──body──► upstream            bytes unchanged, unless something is asked for the record (proxy/inquiry.py)
    client ◄──head, body── upstream      as it comes (proxy/relay.py)

Where a connection to the upstream is open already, the request goes out at once and its answer passes in the
connection's own callbacks: ``begin``, ``_head_arrived``, ``_arrived``. A task is made only when something has to be
waited for: a new connection, the rest of the request, a student, a failure, a slow client, the disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from nightschool.errors import ConnectFailed, UpstreamError
from nightschool.record import id_text
from proxy.answers import answer_json, error_object
from proxy.body import RequestBody
from proxy.chunk import chunk
from proxy.client import Client, ClientLeft, Stopped
from proxy.connection import Connection
from proxy.entry import Entry
from proxy.facts import RequestFacts
from proxy.headers import framing, read_answer_head
from proxy.hiding import Hiding
from proxy.inquiry import Inquiry, body_with, inquiry, named_in_refusal
from proxy.paths import ApiPath
from proxy.relay import Relay, tell_in_stream
from proxy.route import Route
from proxy.student_attempt import StudentAttempt
from proxy.upload import upload

if TYPE_CHECKING:
    from proxy.runtime import Runtime
    from proxy.upstream import UpstreamPool

log = logging.getLogger("nightschool.exchange")


class Exchange:
    """Forwards one request; lives as long as the request."""

    __slots__ = (
        "_asked",
        "_body",
        "_client",
        "_connection",
        "_entry",
        "_facts",
        "_path",
        "_pool",
        "_received",
        "_relay",
        "_route",
        "_runtime",
        "_unattended",
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
        """``time.perf_counter()`` at which the request was here: from now on it is our turn."""
        self._pool: UpstreamPool | None = None
        self._connection: Connection | None = None
        self._relay: Relay | None = None
        """Since the answer's head is here."""
        self._asked: Inquiry = ()
        """For the record, of the upstream that answers."""
        self._unattended = False
        """No task looks on."""
        client.on_cut = self._cut

    def begin(self) -> bool:
        """Send the request if that can be done at once, and see it through; False: nothing is done, ``run`` has to."""
        route, body = self._route, self._body
        if route.target != "teacher" or body.more:
            return False
        pool = self._runtime.upstreams[route.upstreams[0]]
        if len(route.upstreams) > 1 and pool.unreachable:
            return False
        connection = pool.acquire_kept()
        if connection is None:
            return False
        self._pool, self._connection = pool, connection
        self._unattended = True
        try:
            self._asked = self._inquiry(pool, but_not=())
            self._send(pool, connection)
            connection.on_arrival = self._head_arrived
        except BaseException:
            self._close()
            raise
        return True

    async def run(self) -> None:
        """Answer the client, whatever happens."""
        await self._attend(self._answered())

    async def _answered(self) -> None:
        if self._route.target == "teacher" or await self._student_fails():
            await self._forward()

    async def _attend(self, work: Coroutine[Any, Any, None]) -> None:
        """See ``work`` through to the end of the exchange."""
        try:
            await work
        except ClientLeft:
            self._entry.end(complete=False, error_type="client_left")
        except UpstreamError as error:
            self._fail(error)
            error.__traceback__ = None  # its frames hold it, and the request's body
        except (asyncio.CancelledError, Stopped) as error:
            self._entry.end(complete=False, error_type="proxy_stopped")
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._close()

    def _close(self) -> None:
        """Let go of everything; what has not ended by now never will."""
        self._client.on_cut = None
        self._release()
        self._entry.end(complete=False, error_type="proxy_fault")

    def _call_task(self, work: Coroutine[Any, Any, None]) -> None:
        """From now on a task looks on."""
        self._unattended = False
        self._client.start_task(self._go_on(work))

    async def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        await self._attend(work)
        self._client.leave()

    def _cut(self, why: Exception) -> None:
        """Closing the connection is how an upstream is told to stop."""
        if self._connection is not None:
            self._connection.fail(why)

    async def _student_fails(self) -> bool:
        """Whether the teacher has to answer; if not, the student has."""
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
        self._route = teacher
        self._received = time.perf_counter()
        self._client.on_cut = self._cut
        return True

    # -- towards the upstream

    async def _forward(self, refused: Inquiry = ()) -> None:
        """``refused``: questions for the record that are in a refusal already."""
        while True:
            pool = await self._connect()
            self._asked = self._inquiry(pool, but_not=refused)
            status = await self._ask(pool)
            named = await self._named_in_refusal()
            if not named:
                break
            refused += named
            self._release()
        if status < 400:  # else it may be the client's own words that are refused, and quoted
            self._give_up(pool, refused)
        await self._answer()

    async def _named_in_refusal(self) -> Inquiry:
        """What was asked for the record and is the reason why the upstream refuses the request."""
        connection = self._connection
        assert connection is not None
        return await named_in_refusal(self._asked, connection) if self._may_be_refused(connection) else ()

    def _may_be_refused(self, connection: Connection) -> bool:
        """The answer may be a refusal of what only the record asked for."""
        return bool(self._asked) and 400 <= connection.status < 500

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
            connection.on_arrival = connection.on_chunk = None
            self._pool.release(connection)

    async def _ask(self, pool: UpstreamPool) -> int:
        """Send the request; the status, with the head of the answer."""
        connection, body, client = self._connection, self._body, self._client
        assert connection is not None
        if client.disconnected:
            raise ClientLeft
        self._send(pool, connection)
        if body.more:
            await upload(connection, client, body.ahead, chunked=body.length is None)
        status, _ = await connection.head()
        return status

    def _send(self, pool: UpstreamPool, connection: Connection) -> None:
        """The request, or what is here of it, with what is asked for the record in its body."""
        body, client, asked = self._body, self._client, self._asked
        data = body_with(asked, self._facts) if asked else body.data
        length = body.length if body.more else len(data)
        head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b%b" % (
            client.method,
            pool.target(self._path, client.query, self._facts.model, client.raw_path),
            pool.host_header,
            client.head.lines(pool.replacement_uncompressed if asked else pool.replacement),
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

    def _give_up(self, pool: UpstreamPool, questions: Inquiry) -> None:
        for question in questions:
            pool.remember_refusal(question, self._facts.model)
            self._runtime.metrics.count("nightschool_inquiries_refused", pool.name, question.about)
            log.info("inquiry_refused upstream=%s model=%r about=%s", pool.name, self._facts.model, question.about)

    # -- towards the client

    def _head_arrived(self) -> None:
        """Of the answer, in its connection's callback; or the exchange has failed before it."""
        connection = self._connection
        assert connection is not None
        if not connection.has_head:
            if connection.failed:
                self._call_task(self._raise(connection))
        elif self._may_be_refused(connection):
            connection.on_arrival = None
            self._call_task(self._refused())
        else:
            self._begin_answer(connection)

    async def _raise(self, connection: Connection) -> None:
        connection.raise_error()

    async def _refused(self) -> None:
        """An upstream that refuses what was asked for the record is asked again without."""
        named = await self._named_in_refusal()
        if not named:
            await self._answer()
            return
        self._release()
        await self._forward(named)

    def _begin_answer(self, connection: Connection) -> Relay:
        """Pass on the head and what has come with it; the rest passes as it arrives."""
        asked, client, entry, pool = self._asked, self._client, self._entry, self._pool
        assert pool is not None
        status = connection.status
        head = read_answer_head(connection.headers)
        entry.answer(status, head)
        events = head.content_type.startswith(b"text/event-stream")
        head.lines.append(entry.header_lines())
        hiding = None
        if asked and status < 300 and not head.content_encoding:
            hiding = Hiding(client, status, head, asked, events=events)
        else:
            if asked and status < 300:
                self._give_up(pool, asked)  # compressed against our wish: unreadable, so it passes once as it is
            # A stream that breaks off ends with an event of ours, so what the upstream said of its length may be wrong.
            client.start(status, head.lines, None if events else head.content_length)
        readable = events and not head.content_encoding
        relay = Relay(connection, client, entry, self._runtime.journal, events=readable, hiding=hiding)
        self._relay = relay
        connection.on_arrival = self._arrived
        self._arrived()
        if not relay.waits_for_disk:  # else a head without a body would be the answer, before the disk has it
            client.flush()
        return relay

    async def _answer(self) -> None:
        connection = self._connection
        assert connection is not None
        await self._begin_answer(connection).look_on()

    def _arrived(self) -> None:
        """Some of the answer; have somebody look on where passing it on is not all there is to do."""
        relay = self._relay
        assert relay is not None
        relay.arrived()
        if self._client.response_complete:
            if self._unattended:
                self._close()
        elif not relay.waits:
            return
        elif self._unattended:
            self._call_task(relay.look_on())
        relay.look_again()

    def _fail(self, error: UpstreamError) -> None:
        """Tell the client in the way that is left, and the log."""
        entry, relay = self._entry, self._relay
        if entry.ended:
            # The answer was complete by what it says; only the connection was not closed properly behind it.
            if relay is None:
                self._client.finish()
            else:
                relay.finish()
            return
        self._runtime.metrics.count("nightschool_upstream_errors", error.upstream, error.error_type)
        log.warning("upstream_failed upstream=%s cause=%r id=%s", error.upstream, error.cause, id_text(entry.id))
        if entry.status is None:
            entry.begin(self._facts, self._body, method=self._client.method)
            body = error_object(f"nightschool: {error}", error.error_type, code=error.error_type)
            entry.own_answer(error.status, body)
            entry.end(complete=False, error_type=error.error_type)
            answer_json(self._client, error.status, body, entry.header_lines())
            return
        entry.end(complete=False, error_type=error.error_type)
        if relay is not None:
            relay.break_off(error)
        elif self._facts.streams:  # what a student has begun
            tell_in_stream(self._client, error, at_event_end=True)
