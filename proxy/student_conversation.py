"""One replica asked once: the request sent, its events read, and what is known good of them passed on.

Nothing that the client sent reaches a replica but what the question holds: no header, no credential, no model's name.
The replica is always asked for a stream, since only so it is seen in time that it is not at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nightschool.errors import AnswerBroken, ConnectFailed, StudentFailed, UpstreamError, UpstreamTimeout
from nightschool.record import id_text
from nightschool.wire import json_text
from nightschool.wire.sse import EventSplitter
from proxy.client import Client, ClientLeft
from proxy.connection import Connection
from proxy.entry import Entry
from proxy.headers import AnswerHead, framing
from proxy.paths import api_path
from proxy.route import ReplicaChoice
from proxy.student_answer import Last, StudentAnswer
from proxy.student_question import StudentQuestion
from proxy.upstream import UpstreamPool

if TYPE_CHECKING:
    from proxy.runtime import Runtime

MAX_REFUSAL_BYTES = 64 * 1024
TIDY_S = 0.5
"""So long the end of a stream that is complete is waited for, which makes the connection good for another request."""
_CHAT = api_path(b"/v1/chat/completions")
_TOO_LITTLE_ROOM = ("context length", "max_tokens", "max_completion_tokens")


class Conversation:
    """With one replica, about one request."""

    def __init__(
        self,
        runtime: Runtime,
        entry: Entry,
        *,
        client: Client,
        pool: UpstreamPool,
        replica: ReplicaChoice,
        answer_to: StudentQuestion,
        adapter: str,
        model: str | None,
        holds: bool,
    ) -> None:
        """``holds``: the client is given nothing before all of it is known good."""
        self._entry = entry
        self._client = client
        self._journal = runtime.journal
        self._first_token_s = runtime.config.student.first_token_s
        self._pool = pool
        self._replica = replica
        self._question = answer_to
        self._adapter = adapter
        self._answer = StudentAnswer(answer_to, replica=replica.name, adapter=adapter, model=model, holds=holds)
        self._events = EventSplitter()
        self._connection: Connection | None = None

    async def run(self, sent: Callable[[], None]) -> None:
        """Have it answer the client; ``sent`` is called while the replica is at work. Raises StudentFailed."""
        try:
            async with asyncio.timeout(self._first_token_s) as clock:
                connection = await self._asked(sent)
                while not self._answer.alive and await self._pass_some(connection):
                    pass
                clock.reschedule(None)
                while await self._pass_some(connection):
                    pass
            await self._end()
            await self._tidy(connection)
        except TimeoutError:
            raise self._failed("fallback_timeout", f"no token within {self._first_token_s:g} s") from None
        except ConnectFailed as error:
            raise self._failed("fallback_connect", error.cause) from error
        except UpstreamTimeout as error:
            raise self._failed("fallback_timeout", error.cause) from error
        except AnswerBroken as error:
            raise self._failed("fallback_broken", error.cause) from error
        finally:
            self._release()

    def fail(self, error: Exception) -> None:
        """End it; the connection is closed, which is how a replica is told to stop."""
        if self._connection is not None:
            self._connection.fail(error)

    # -- the question

    async def _asked(self, sent: Callable[[], None]) -> Connection:
        """A connection on which the answer has begun."""
        bounded = True
        while True:
            connection = self._connection = await self._pool.acquire()
            if self._client.disconnected:
                raise ClientLeft
            self._send(connection, bounded=bounded)
            sent()
            status, _ = await connection.head()
            if status == 200:
                return connection
            words = await _refusal(connection)
            if bounded and self._question.is_bounded and any(name in words for name in _TOO_LITTLE_ROOM):
                # Question and allowed length do not fit together: the answer gets what room there is.
                bounded = False
                self._release()
                continue
            cause = f"answered with status {status}"
            raise self._failed("fallback_status", cause, quoted=words, unwell=status >= 500)

    def _send(self, connection: Connection, *, bounded: bool) -> None:
        pool = self._pool
        body = self._question.body(self._adapter, self._replica.stop_token_ids, bounded=bounded)
        head = b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\nx-request-id: %b\r\n%b%b" % (
            pool.target(_CHAT, b"", None, b""),
            pool.host_header,
            id_text(self._entry.id).encode(),
            pool.replacement_uncompressed.lines,
            framing(b"POST", len(body)),
        )
        connection.start(head, body, bodiless=False, first_byte_s=self._first_token_s, idle_s=self._first_token_s)

    # -- the answer

    async def _pass_some(self, connection: Connection) -> bool:
        """Take what has arrived, pass on what is good of it; False at the end of the answer."""
        if self._client.slow:
            await self._client.drain()
        data = await connection.read()
        began = time.perf_counter()
        passed = b"".join([self._answer.feed(event) for event in self._events.feed_data(data)])
        if passed:
            self._pass_on(connection, passed)
        self._entry.spend(time.perf_counter() - began)
        if self._client.disconnected:
            raise ClientLeft
        return bool(data) and not self._answer.done

    def _pass_on(self, connection: Connection, data: bytes) -> None:
        if not self._client.started:
            self._begin(None)
            connection.wait_longer(self._pool.timeouts.idle_s)
        self._entry.feed(data, connection.last_byte_at)
        self._client.write(data)

    def _begin(self, content_length: bytes | None) -> None:
        kind = b"text/event-stream; charset=utf-8" if self._question.streams else b"application/json"
        exchange = id_text(self._entry.id).encode()
        lines = [b"content-type: %b\r\nx-request-id: %b\r\n" % (kind, exchange), self._entry.header_lines()]
        self._entry.answer(200, AnswerHead(lines, content_length, kind, b"", None))
        self._client.start(200, lines, content_length)

    async def _end(self) -> None:
        last: Last = self._answer.end()
        if not self._client.started:
            self._begin(None if self._question.streams else b"content-length: %d\r\n" % len(last.client))
        self._entry.feed(last.record, time.perf_counter())
        self._entry.end(complete=True)
        if self._journal.waits_for_disk:
            await self._journal.durable()
        self._client.finish(last.client)

    async def _tidy(self, connection: Connection) -> None:
        """The client has everything, so nothing can go wrong any more."""
        with contextlib.suppress(TimeoutError, UpstreamError, ClientLeft):
            async with asyncio.timeout(TIDY_S):
                while not connection.ended:
                    await connection.read()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.release(connection)

    def _failed(self, reason: str, cause: str, *, quoted: str = "", unwell: bool = True) -> StudentFailed:
        return StudentFailed(self._replica.name, reason, cause, quoted=quoted, unwell=unwell)


async def _refusal(connection: Connection) -> str:
    """The words of an error, as far as there are any."""
    body = b""
    while not connection.ended and len(body) < MAX_REFUSAL_BYTES:
        body += await connection.read()
    with contextlib.suppress(ValueError, AttributeError):
        document = json_text.decode(body)
        error = document.get("error", document)
        body = str(error.get("message", error)).encode()
    return " ".join(body.decode("utf-8", "replace").split())[:300]
